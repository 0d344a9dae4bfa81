package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// bakes adds what the project's code makes. It runs on the image as it is so far, with the files that the step names as its inputs and no others: an edit of
// another file leaves the step's key as it is.
func (m *image) bakes(table ops.DirTable) {
	for _, b := range m.recipe.Bake {
		s := m.onImage(b.Script, b.Root)
		s.stage = ops.Group{ID: ops.GroupBake, NoCache: m.in.NoCache}
		s.name, s.id = "bake "+b.Name, "bake/"+b.Name
		root := m.merged()
		if len(b.Inputs) > 0 {
			inputs := filesLayer(b.Inputs, m.recipe.App.Ignore, m.recipe.User, table, m.in, s.stage)
			info := &bkllb.CopyInfo{CopyDirContentsOnly: true}
			root = root.File(bkllb.Copy(inputs, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.stage.Named("inputs of %s", b.Name))
		}
		l := layerplan.Layer{Kind: layerplan.KindBake, Name: b.Name, Runs: "on the image: the base and all packages are unpacked once for it"}
		m.add(l, m.collect(m.runScript(root, s).Root(), s, "bake step "+b.Name, b.Outputs, table))
	}
}

// onImage is a script as it runs in the image: with its environment and in its working directory, as root or as its user.
func (m *image) onImage(c recipe.Script, root bool) scripted {
	s := scripted{Script: c, dir: m.recipe.App.Workdir, user: m.recipe.User}
	if root {
		s.user = recipe.User{Name: "root", Home: "/root"}
	}
	s.env = mergeSorted(m.environment(command{root: root}), []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}})
	return s
}
