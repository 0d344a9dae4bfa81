package llb

import (
	"fmt"
	"path"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// skeletonLayer is the empty virtual environment (PEP 405) and the directories of the user and the application.
func skeletonLayer(r *recipe.Recipe, in given, table ops.DirTable) ops.Layer {
	s := ops.Group{ID: ops.GroupSkeleton}
	venv := wheel.ParentDirs(r.Python.Version)
	dirs := make([]string, 0, len(table))
	for _, d := range venv {
		dirs = append(dirs, d.Path)
	}
	dirs = append(dirs, r.App.Workdir)
	if r.User.UID != 0 {
		dirs = append(dirs, r.User.Home)
	}
	for _, d := range r.App.Dirs {
		dirs = append(dirs, d.Path)
	}
	a := table.Mkdirs(dirs...)
	a.Mkfile(wheel.Venv+"/pyvenv.cfg", pyvenv(r, in.Interpreter))
	a.Symlink(in.Interpreter, wheel.Venv+"/bin/python")
	a.Symlink("python", wheel.Venv+"/bin/python3")
	a.Symlink("python", wheel.Venv+"/bin/python"+r.Python.Version)
	tree := ops.Settled(bkllb.Scratch().File(a.Last, s.Named("environment for Python %s", r.Python.Version)), s)
	return ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindSkeleton, Name: "python environment, directories"}, State: tree}
}

// pyvenv is the configuration file by which Python knows a virtual environment: the directory of the base's interpreter.
func pyvenv(r *recipe.Recipe, interpreter string) string {
	return fmt.Sprintf("home = %s\ninclude-system-site-packages = %t\nversion = %s\n",
		path.Dir(interpreter), r.Base.Packages, r.Python.Version)
}
