package llb

import (
	"path"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// hookLayers returns the layers of the commands that run after a point: the difference that each makes to the image as it is there. The published image
// is merged from it like from any other layer, and unpacked nowhere but for the hook. below are the layers of the image so far.
func hookLayers(r *recipe.Recipe, in given, point recipe.HookPoint, below ops.Layers) (layers ops.Layers) {
	for _, h := range r.Run {
		if h.After != point {
			continue
		}
		s := onImage(r, in, h.Script, !h.User)
		s.Group = in.setting().Group(ops.GroupRun)
		s.Name, s.Cache, s.Dir = "run "+h.Name, r.Name+"/run/"+h.Name, "/"
		if point != recipe.AfterSystem {
			s.Dir = r.App.Workdir
		}
		s.Settle = &step.Settle{Root: "/", Time: wheel.ModTime.Unix(), Drop: droppedDirs(r.User)}
		root := withMountPoints(imageSoFar(r, in, below.And(layers...)))
		l := layerplan.Layer{Kind: layerplan.KindRun, Name: h.Name, Runs: "on the image: the base and the layers below are unpacked once for it, and it runs again when one of them changes"}
		layers = layers.And(ops.Layer{Layer: l, State: bkllb.Diff(root, s.Run(root, in.setting()).Root, s.Group.Named("what %s changed", h.Name))})
	}
	return layers
}

// withMountPoints is an image with the directories over which a container's file systems are mounted. Where a base lacks them the runtime makes them, with the time of day
// (runtime-spec, config.md, mounts), and they would be among what the commands changed.
func withMountPoints(image bkllb.State) bkllb.State {
	at := []bkllb.MkdirOption{bkllb.WithParents(true), bkllb.WithCreatedTime(wheel.ModTime)}
	made := bkllb.Mkdir("/dev", 0o755, at...).Mkdir("/proc", 0o555, at...).Mkdir("/sys", 0o555, at...)
	return image.File(made, ops.Group{ID: ops.GroupMerged}.Named("directories to mount over"))
}

// droppedDirs are the directories whose changed files no layer needs: logs, and the caches of package managers.
func droppedDirs(u recipe.User) []string {
	dirs := []string{"/var/log", "/var/cache/apt", "/var/lib/apt/lists", "/var/cache/ldconfig", "/var/cache/debconf", "/root/.cache/pip", "/root/.cache/uv"}
	if u.Home != "/root" {
		dirs = append(dirs, path.Join(u.Home, ".cache/pip"), path.Join(u.Home, ".cache/uv"))
	}
	return dirs
}
