package llb

import (
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// devStage is an image to work in: the runtime's packages and files in the runtime's own layers, the tools of the builder, what developers need, and an
// environment that the user may change. apt adds its packages over those of the runtime, so that there is one set of accounts.
func devStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if r.Dev == nil {
		return nil, errNoStage(recipe.StageDev)
	}
	if err := mayCompile(r, in); err != nil {
		return nil, err
	}
	layers, accounts := systemLayers(r, in)
	if tools := DevPackages(r); len(tools) > 0 {
		if err := needsApt(r, in); err != nil {
			return nil, err
		}
		installed, layer := install.Apt(accounts, in.Base, tools, r.Apt, layerplan.KindDev, ops.GroupDev, in.setting())
		layers, accounts = layers.And(layer), installed
	}
	layers, err := withPackagesAndFiles(r, in, layers, accounts)
	if err != nil {
		return nil, err
	}
	wheels, err := stageWheelLayers(r, in, layers)
	if err != nil {
		return nil, err
	}
	layers = layers.And(wheels...)
	if r.User.UID != 0 {
		layers = layers.And(writableEnvironment(r))
	}
	return layers, nil
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

// writableEnvironment is the layer that gives the directories of the virtual environment to the image's user, as entries that lie over those of the wheels:
// packages can be added, and those of the lock cannot be removed.
func writableEnvironment(r *recipe.Recipe) ops.Layer {
	s := ops.Group{ID: ops.GroupDev}
	a := &ops.Actions{Last: bkllb.Mkdir("/", 0o755, bkllb.WithParents(true))}
	for _, d := range wheel.ParentDirs(r.Python.Version) {
		dir := recipe.Dir{Path: d.Path, Mode: d.Mode, UID: d.UID, GID: d.GID}
		if strings.HasPrefix(d.Path, wheel.Venv) {
			dir.UID, dir.GID = r.User.UID, r.User.GID
		}
		a.Mkdir(dir)
	}
	l := layerplan.Layer{Kind: layerplan.KindDev, Name: "an environment that " + r.User.Name + " may change"}
	return ops.Layer{Layer: l, State: ops.Settled(bkllb.Scratch().File(a.Last, s.Named("the environment belongs to %s", r.User.Name)), s)}
}
