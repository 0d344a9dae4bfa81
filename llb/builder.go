package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// NeedsPackages reports whether a stage is made of the project's own packages, the system's and Python's; "" is the runtime.
func NeedsPackages(target string) bool {
	return target != "base" && target != "builder" && target != "models"
}

// builderRoot is the state in which things are compiled: the base with the packages of system.build, in the base's own environment, as root.
// Nothing of it is in the image, and no step asks for it unless something has to be built.
func builderRoot(r *recipe.Recipe, in given) (bkllb.State, error) {
	if err := needsApt(r, in); err != nil {
		return bkllb.State{}, err
	}
	_, tools := builderTools(r, in)
	return ops.WithConfig(tools, in.Base)
}

// builderTools returns the base and the same with the packages of system.build.
func builderTools(r *recipe.Recipe, in given) (base, tools bkllb.State) {
	base = withPython(r, in, ops.BaseToRead(in.Base, in.platform))
	packages := r.Builder.System
	if len(packages) == 0 {
		return base, base
	}
	return base, ops.AptInstalled(base, packages, r.Apt, in.Base, in.Network, in.platform, in.setting().Group(ops.GroupBuilder))
}

// builderStage is the builder as an image: the base and one layer with the packages.
func builderStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if err := needsApt(r, in); err != nil {
		return nil, err
	}
	layers := pythonLayers(r, in)
	if packages := r.Builder.System; len(packages) > 0 {
		base := withPython(r, in, ops.BaseToRead(in.Base, in.platform))
		_, layer := install.Apt(base, in.Base, packages, r.Apt, layerplan.KindBuilder, ops.GroupBuilder, in.setting())
		layers = layers.And(layer)
	}
	return layers, nil
}
