package llb

import (
	"fmt"
	"path"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// skeletonLayer is the empty virtual environment (PEP 405) and the directories of the user and the application.
func skeletonLayer(r *recipe.Recipe, table dirTable) bkllb.State {
	s := stage{id: "skeleton", title: "python environment"}
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
	a := table.mkdirs(dirs...)
	a.mkfile(wheel.Venv+"/pyvenv.cfg", pyvenv(r))
	a.symlink(r.Base.Interpreter, wheel.Venv+"/bin/python")
	a.symlink("python", wheel.Venv+"/bin/python3")
	a.symlink("python", wheel.Venv+"/bin/python"+r.Python.Version)
	return settled(bkllb.Scratch().File(a.last, s.named("environment for Python %s", r.Python.Version)), s)
}

// pyvenv is the configuration file by which Python knows a virtual environment: the directory of the base's interpreter.
func pyvenv(r *recipe.Recipe) string {
	return fmt.Sprintf("home = %s\ninclude-system-site-packages = %t\nversion = %s\n",
		path.Dir(r.Base.Interpreter), r.Base.Packages, r.Python.Version)
}

// settled copies a finished tree once onto nothing with one time for all of it. Without it a directory keeps the moment at which
// something was put into it.
func settled(tree bkllb.State, s stage) bkllb.State {
	info := &bkllb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}
	return bkllb.Scratch().File(bkllb.Copy(tree, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.named("settle times"))
}
