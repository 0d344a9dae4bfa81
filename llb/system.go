package llb

import (
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// systemLayers returns the layers of the system packages, and of a base that is made of them, and the state whose /etc says which accounts there are.
func systemLayers(r *recipe.Recipe, in given) (layers ops.Layers, accounts bkllb.State) {
	layers = pythonLayers(r, in)
	accounts = in.Base.ToRead(in.platform, links(in))
	if in.Base.Bare {
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindBase, Name: "directories, links and accounts of " + in.Base.Ref}, State: accounts})
	}
	switch {
	case in.System != nil:
		var locked ops.Layers
		locked, accounts = debLayers(r, in, accounts, room(r, in.Base, layers, 1)/3)
		layers = layers.And(locked...)
	case len(r.System) > 0:
		installed, layer := aptLayer(r, in, accounts, r.System, layerplan.KindSystem, ops.GroupSystem)
		layers, accounts = layers.And(layer), installed
	}
	hooks := hookLayers(r, in, recipe.AfterSystem, layers)
	if layers = layers.And(hooks...); len(hooks) > 0 {
		accounts = imageSoFar(r, in, layers) // they may have added some
	}
	return layers, accounts
}

// aptLayer has apt install packages on a state of the base, and returns that state with them, and what this changed as a layer.
func aptLayer(r *recipe.Recipe, in given, base bkllb.State, packages []string, kind layerplan.Kind, group ops.GroupID) (installed bkllb.State, layer ops.Layer) {
	installed = ops.AptInstalled(base, packages, r.Apt, in.Base, in.Network, in.platform, ops.Group{ID: group, NoCache: in.NoCache})
	changed := bkllb.Diff(base, installed, ops.Group{ID: group}.Named("files of the system packages"))
	return installed, ops.Layer{Layer: layerplan.Layer{Kind: kind, Name: strings.Join(packages, " ")}, State: changed}
}
