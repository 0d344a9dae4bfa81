package llb

import (
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// dev is an image to work in: the runtime's packages and files in the runtime's own layers, the tools of the builder, what developers need, and an
// environment that the user may change. apt adds its packages over those of the runtime, so that there is one set of accounts.
func (m *image) dev() error {
	d := m.recipe.Dev
	if d == nil {
		return errNoStage("dev")
	}
	if err := m.check(); err != nil {
		return err
	}
	s := ops.Group{ID: ops.GroupDev, NoCache: m.in.NoCache}
	accounts := m.systemPackages()
	if tools := DevPackages(m.recipe); len(tools) > 0 {
		if err := m.needImage(); err != nil {
			return err
		}
		installed := ops.AptInstalled(accounts, tools, m.recipe.Apt, m.in.Base, m.in.Network, m.platform, s)
		m.add(layerplan.Layer{Kind: layerplan.KindDev, Name: strings.Join(tools, " ")}, systemLayer(accounts, installed, s))
		accounts = installed
	}
	if err := m.packagesAndFiles(accounts); err != nil {
		return err
	}
	if err := m.stageWheels(); err != nil {
		return err
	}
	if m.recipe.User.UID != 0 {
		m.add(layerplan.Layer{Kind: layerplan.KindDev, Name: "an environment that " + m.recipe.User.Name + " may change"}, m.writableEnvironment())
	}
	return nil
}

// DevPackages lists the Debian packages that the dev stage has beside the runtime's, sorted: the builder's and its own.
func DevPackages(r *recipe.Recipe) []string {
	if r.Dev == nil {
		return nil
	}
	all := slices.Concat(r.Builder.System, r.Dev.System)
	slices.Sort(all)
	return slices.Compact(all)
}

// writableEnvironment gives the directories of the virtual environment to the image's user, as entries that lie over those of the wheels:
// packages can be added, and those of the lock cannot be removed.
func (m *image) writableEnvironment() bkllb.State {
	s := ops.Group{ID: ops.GroupDev}
	a := &ops.Actions{Last: bkllb.Mkdir("/", 0o755, bkllb.WithParents(true))}
	for _, d := range wheel.ParentDirs(m.recipe.Python.Version) {
		dir := recipe.Dir{Path: d.Path, Mode: d.Mode, UID: d.UID, GID: d.GID}
		if strings.HasPrefix(d.Path, wheel.Venv) {
			dir.UID, dir.GID = m.recipe.User.UID, m.recipe.User.GID
		}
		a.Mkdir(dir)
	}
	return ops.Settled(bkllb.Scratch().File(a.Last, s.Named("the environment belongs to %s", m.recipe.User.Name)), s)
}
