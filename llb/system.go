package llb

import (
	"fmt"
	"strconv"

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
		if len(locked) > 0 {
			layers = layers.And(install.LoaderCache(accounts, layers, in.setting()))
		}
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

// accountLayers returns the layer that adds the image's user to the user database of accounts; none for root. The helper reads its /etc and writes two files, so the layer
// depends on those files alone: another base with the same accounts gives the same layer. The step's cache key is the base's digest and not the
// contents of its /etc, because reading them would pull the base on a daemon that has the layer from a cache.
func accountLayers(r *recipe.Recipe, in given, accounts bkllb.State) ops.Layers {
	u := r.User
	if u.UID == 0 {
		return nil
	}
	args := []string{"account", "-etc", "/base", "-out", "/out", "-name", u.Name,
		"-uid", strconv.Itoa(u.UID), "-gid", strconv.Itoa(u.GID), "-home", u.Home}
	step := ops.HelperStep(in.Helpers.Root(in.Helpers.Wheels), in.Worker, ops.Group{ID: ops.GroupAccount, NoCache: in.NoCache},
		fmt.Sprintf("add user %s (%d:%d)", u.Name, u.UID, u.GID), args,
		bkllb.AddMount("/base", accounts, bkllb.SourcePath("/etc"), bkllb.Readonly, ops.ByKey))
	return ops.Layers{{Layer: layerplan.Layer{Kind: layerplan.KindAccount, Name: "user " + u.Name}, State: step.AddMount("/out", bkllb.Scratch())}}
}
