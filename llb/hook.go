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

// hooks adds the layers of the commands that run after a point: the difference that each makes to the image as it is there. The published image
// is merged from it like from any other layer, and unpacked nowhere but for the hook. It tells whether there were any.
func (m *image) hooks(point recipe.HookPoint) (any bool) {
	for _, h := range m.recipe.Run {
		if h.After != point {
			continue
		}
		any = true
		s := m.onImage(h.Script, !h.User)
		s.stage = ops.Group{ID: ops.GroupRun, NoCache: m.in.NoCache}
		s.name, s.id, s.dir = "run "+h.Name, "run/"+h.Name, "/"
		if point != recipe.AfterSystem {
			s.dir = m.recipe.App.Workdir
		}
		s.settle = &step.Settle{Root: "/", Time: wheel.ModTime.Unix(), Drop: m.dropped()}
		below := m.below()
		l := layerplan.Layer{Kind: layerplan.KindRun, Name: h.Name, Runs: "on the image: the base and the layers below are unpacked once for it, and it runs again when one of them changes"}
		m.add(l, bkllb.Diff(below, m.runScript(below, s).Root(), s.stage.Named("what %s changed", h.Name)))
	}
	return any
}

// below is the image so far, in the order of its layers. Where the project's files are the last of them, they are copied over the rest.
func (m *image) below() bkllb.State {
	for i, l := range m.layers {
		if l.Kind == layerplan.KindApp && i < len(m.layers)-1 {
			return bkllb.Merge(append(m.baseInputs(), m.states...), ops.Group{ID: ops.GroupMerged}.Named("%s for %s", m.recipe.Profile, m.recipe.Platform))
		}
	}
	return m.merged()
}

// dropped are the directories whose changed files no layer needs: logs, and the caches of package managers.
func (m *image) dropped() []string {
	dirs := []string{"/var/log", "/var/cache/apt", "/var/lib/apt/lists", "/var/cache/ldconfig", "/var/cache/debconf", "/root/.cache/pip", "/root/.cache/uv"}
	if home := m.recipe.User.Home; home != "/root" {
		dirs = append(dirs, path.Join(home, ".cache/pip"), path.Join(home, ".cache/uv"))
	}
	return dirs
}
