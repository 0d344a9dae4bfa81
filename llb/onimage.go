package llb

import (
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ground is what bake steps run on.
type ground struct {
	all         ops.Layers // the image so far
	apart       ops.Layers // those of it that do not depend on packages
	environment ops.Layers // files of the environment from elsewhere, which nobody held against packages
}

// bakeLayers returns what the project's code makes. It runs on the image as it is so far, with the files that the step names as its inputs and no others: an edit of
// another file leaves the step's key as it is. A step that names the packages that it needs does not see others, nor what steps make that see all.
func bakeLayers(r *recipe.Recipe, in given, table ops.DirTable, on ground) (layers ops.Layers) {
	var apart ops.Layers // of steps that name what they need, for others of these
	for _, b := range r.Bake {
		under := on.all.And(layers...)
		if b.Needs != nil {
			under = on.apart.And(needed(r, in, b.Needs, on.all)...).And(on.environment...).And(apart...)
		}
		s := onImage(r, in, b.Script, b.Root)
		s.Group = in.setting().Group(ops.GroupBake)
		s.Name, s.Who, s.Cache = "bake "+b.Name, "bake step "+b.Name, r.Name+"/bake/"+b.Name
		s.Lost = lostOf(b, r.User)
		done := s.Run(withInputs(r, in, b, table, merged(r, in, under), s.Group), in.setting())
		l := layerplan.Layer{Kind: layerplan.KindBake, Name: b.Name, Runs: "on the image: the base and " + packagesOf(b) + " are unpacked once for it"}
		if b.Needs != nil {
			apart = apart.And(ops.Layer{Layer: l, State: done.Collect(b.Outputs, table, in.setting())})
		}
		if outputs := recipe.BesidePackages(b.Outputs); len(outputs) > 0 {
			layers = layers.And(ops.Layer{Layer: l, State: done.Collect(outputs, table, in.setting())})
		}
		if outputs := recipe.OverPackages(b.Outputs); len(outputs) > 0 {
			l.Name += inEnvironment
			layers = layers.And(ops.Layer{Layer: l, State: overPackages(done, outputs, table, in, on.all)})
		}
	}
	return layers
}

// withInputs is the root of a step with the project's files that it reads.
func withInputs(r *recipe.Recipe, in given, b recipe.Bake, table ops.DirTable, root bkllb.State, s ops.Group) bkllb.State {
	if len(b.Inputs) == 0 {
		return root
	}
	inputs := placedFiles(b.Inputs, r.App.Ignore, r.User, table, in, s)
	info := &bkllb.CopyInfo{CopyDirContentsOnly: true}
	return root.File(bkllb.Copy(inputs, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.Named("inputs of %s", b.Name))
}

// needed are the layers of the packages that a step names, with all that they need; all of them where the project itself is one of these.
func needed(r *recipe.Recipe, in given, names []string, all ops.Layers) (layers ops.Layers) {
	if p := r.Builder.Project; p != nil && slices.Contains(names, p.Name) {
		return all.OfKind(layerplan.KindWheels).And(all.OfKind(layerplan.KindBuilt)...)
	}
	image := wheelbuild.Image{Recipe: r, Packages: in.Wheels, Below: all}
	for _, state := range wheelbuild.Subset(names, image, in.Needs, in.setting()) {
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindWheels, Name: "packages of a bake step"}, State: state})
	}
	return layers
}

// packagesOf says in words which packages a step sees.
func packagesOf(b recipe.Bake) string {
	switch {
	case b.Needs == nil:
		return "all packages"
	case len(b.Needs) == 0:
		return "no packages"
	}
	return strings.Join(b.Needs, ", ") + " with what they need"
}

// lostOf has the files told that a step writes beside its outputs.
func lostOf(b recipe.Bake, u recipe.User) *step.Lost {
	lost := &step.Lost{Root: "/", Drop: append(droppedDirs(u), "/tmp", "/var/tmp")}
	for _, o := range b.Outputs {
		lost.Kept = append(lost.Kept, o.From)
	}
	return lost
}

// onImage is a script as it runs in the image: with its environment and in its working directory, as root or as its user.
func onImage(r *recipe.Recipe, in given, c recipe.Script, root bool) projectstep.Script {
	s := projectstep.Script{Script: c, Dir: r.App.Workdir, User: r.User}
	if root {
		s.User = recipe.User{Name: "root", Home: "/root"}
	}
	s.Defaults = ops.Over(environment(r, in, s.User.Home, nil), []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}})
	if slices.ContainsFunc(c.Commands, func(command string) bool { return strings.Contains(command, recipe.SitePackagesVariable) }) {
		site := []recipe.Pair{{Name: recipe.SitePackagesVariable, Value: recipe.SitePackages(r.Python.Version)}}
		s.Defaults = ops.Over(site, s.Defaults)
	}
	if c.CallsPip() && !slices.ContainsFunc(in.Wheels, func(w pylock.Wheel) bool { return w.Name == "pip" }) {
		python := []recipe.Pair{{Name: "PIP_PYTHON", Value: wheel.Venv + "/bin/python"}} // the pip that is found is the base's; pip 22.3 and newer
		s.Defaults = ops.Over(python, s.Defaults)
	}
	return s
}

// hookLayers returns the layers of the commands that run after a point: the difference that each makes to the image as it is there. The published image
// is merged from it like from any other layer, and unpacked nowhere but for the hook. below are the layers of the image so far.
func hookLayers(r *recipe.Recipe, in given, point recipe.HookPoint, below ops.Layers) (layers ops.Layers) {
	for _, h := range r.Run {
		if h.After != point {
			continue
		}
		s := onImage(r, in, h.Script, !h.User)
		if point == recipe.AfterSystem { // there is no environment yet
			s.Defaults = slices.DeleteFunc(s.Defaults, func(p recipe.Pair) bool { return p.Name == "PIP_PYTHON" })
		}
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
