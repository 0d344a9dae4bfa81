package llb

import (
	"fmt"
	"path"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
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
	a.Mkfile(wheel.Venv+"/pyvenv.cfg", pyvenv(r, in))
	a.Symlink(in.Interpreter, wheel.Venv+"/bin/python")
	a.Symlink("python", wheel.Venv+"/bin/python3")
	a.Symlink("python", wheel.Venv+"/bin/python"+r.Python.Version)
	tree := ops.Settled(bkllb.Scratch().File(a.Last, s.Named("environment for Python %s", r.Python.Version)), s)
	return ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindSkeleton, Name: "python environment, directories"}, State: tree}
}

// pyvenv is the configuration file by which Python knows a virtual environment: the directory of the base's interpreter, and whether its packages are seen behind the environment's.
func pyvenv(r *recipe.Recipe, in given) string {
	return fmt.Sprintf("home = %s\ninclude-system-site-packages = %t\nversion = %s\n",
		path.Dir(in.Interpreter), r.Base.Packages || in.Shared, r.Python.Version)
}

// replacedLayers returns the layer that takes packages out of the base's environment, so that no file of an older version stays beside a newer one; none where nothing is replaced. The
// base's own Python does it on the base, which it must not change but there: whatever the daemon puts into the root that it runs in is not part of the difference.
func replacedLayers(r *recipe.Recipe, in given) ops.Layers {
	if len(in.Replaced) == 0 {
		return nil
	}
	args, labels := []string{in.Interpreter, "-I", "-S", "-B", "-c", scripts.RemovePackages, "/base", wheel.Venv, r.Python.Version}, []string(nil)
	for _, p := range in.Replaced {
		args, labels = append(args, p.Name), append(labels, p.Name+" "+p.Version)
	}
	what := strings.Join(labels, ", ")
	base, s := ops.BaseToRead(in.Base, in.platform), ops.Group{ID: ops.GroupSkeleton, NoCache: in.NoCache}
	left := withPython(r, in, base).Run(bkllb.Args(args), bkllb.Network(pb.NetMode_NONE), bkllb.Dir("/"), bkllb.Platform(in.platform), bkllb.ReadonlyRootFS(),
		s.Named("take %s of the base away", what)).AddMount("/base", base)
	l := layerplan.Layer{Kind: layerplan.KindReplaced, Name: "without " + what + " of the base"}
	return ops.Layers{{Layer: l, State: bkllb.Diff(base, left, s.Named("the base without %s", what))}}
}
