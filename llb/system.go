package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// systemLayers returns the layers of the system packages, and of a base that is made of them, and the state whose /etc says which accounts there are.
func systemLayers(r *recipe.Recipe, in given) (layers ops.Layers, accounts bkllb.State) {
	layers = pythonLayers(r, in)
	accounts = in.Base.ToRead(in.platform, links(in))
	if in.Base.OfPackages {
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindBase, Name: "directories, links and accounts of " + in.Base.Ref}, State: accounts})
	}
	switch {
	case in.System != nil:
		var locked ops.Layers
		locked, accounts = install.Debs(in.System, r.Apt, accounts, room(r, in.Base, layers, 1)/3, in.setting())
		layers = layers.And(locked...)
	case len(r.System) > 0:
		installed, layer := install.Apt(accounts, in.Base, r.System, r.Apt, layerplan.KindSystem, ops.GroupSystem, in.setting())
		layers, accounts = layers.And(layer), installed
	}
	hooks := hookLayers(r, in, recipe.AfterSystem, layers)
	if layers = layers.And(hooks...); len(hooks) > 0 {
		accounts = imageSoFar(r, in, layers) // they may have added some
	}
	return layers, accounts
}
