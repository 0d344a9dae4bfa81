package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// bakeLayers returns what the project's code makes. It runs on the image as it is so far, with the files that the step names as its inputs and no others: an edit of
// another file leaves the step's key as it is.
func bakeLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) (layers ops.Layers) {
	for _, b := range r.Bake {
		s := onImage(r, in, b.Script, b.Root)
		s.group = ops.Group{ID: ops.GroupBake, NoCache: in.NoCache}
		s.name, s.cache = "bake "+b.Name, r.Name+"/bake/"+b.Name
		root := merged(r, in, below.And(layers...))
		if len(b.Inputs) > 0 {
			inputs := placedFiles(b.Inputs, r.App.Ignore, r.User, table, in, s.group)
			info := &bkllb.CopyInfo{CopyDirContentsOnly: true}
			root = root.File(bkllb.Copy(inputs, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.group.Named("inputs of %s", b.Name))
		}
		l := layerplan.Layer{Kind: layerplan.KindBake, Name: b.Name, Runs: "on the image: the base and all packages are unpacked once for it"}
		done := ran{root: s.run(root, in).Root(), script: s, who: "bake step " + b.Name}
		layers = layers.And(ops.Layer{Layer: l, State: done.collect(b.Outputs, table, in)})
	}
	return layers
}

// onImage is a script as it runs in the image: with its environment and in its working directory, as root or as its user.
func onImage(r *recipe.Recipe, in given, c recipe.Script, root bool) script {
	s := script{Script: c, dir: r.App.Workdir, user: r.User}
	if root {
		s.user = recipe.User{Name: "root", Home: "/root"}
	}
	s.env = mergeSorted(environment(r, in, s.user.Home, nil), []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}})
	return s
}
