package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// bakeLayers returns what the project's code makes. It runs on the image as it is so far, with the files that the step names as its inputs and no others: an edit of
// another file leaves the step's key as it is.
func bakeLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) (layers ops.Layers) {
	for _, b := range r.Bake {
		s := onImage(r, in, b.Script, b.Root)
		s.Group = in.setting().Group(ops.GroupBake)
		s.Name, s.Who, s.Cache = "bake "+b.Name, "bake step "+b.Name, r.Name+"/bake/"+b.Name
		root := merged(r, in, below.And(layers...))
		if len(b.Inputs) > 0 {
			inputs := placedFiles(b.Inputs, r.App.Ignore, r.User, table, in, s.Group)
			info := &bkllb.CopyInfo{CopyDirContentsOnly: true}
			root = root.File(bkllb.Copy(inputs, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.Group.Named("inputs of %s", b.Name))
		}
		l := layerplan.Layer{Kind: layerplan.KindBake, Name: b.Name, Runs: "on the image: the base and all packages are unpacked once for it"}
		layers = layers.And(ops.Layer{Layer: l, State: s.Run(root, in.setting()).Collect(b.Outputs, table, in.setting())})
	}
	return layers
}

// onImage is a script as it runs in the image: with its environment and in its working directory, as root or as its user.
func onImage(r *recipe.Recipe, in given, c recipe.Script, root bool) projectstep.Script {
	s := projectstep.Script{Script: c, Dir: r.App.Workdir, User: r.User}
	if root {
		s.User = recipe.User{Name: "root", Home: "/root"}
	}
	s.Defaults = ops.Over(environment(r, in, s.User.Home, nil), []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}})
	return s
}
