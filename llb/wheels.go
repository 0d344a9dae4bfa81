package llb

import (
	"slices"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// wheelLayers returns the layers of the packages: first those that are there as wheels, then those that are built. limit is the number of layers that they may make, and
// below are the layers of the image so far.
func wheelLayers(r *recipe.Recipe, in given, below ops.Layers, limit int) (ops.Layers, error) {
	there, sources := wheelbuild.Split(in.Wheels)
	helper := in.Helpers.Root(in.Helpers.Wheels)
	var layers ops.Layers
	for _, l := range layerplan.PlanWheels(there, r.Layers, limit-len(sources), r.Requires.Last) {
		layers = layers.And(install.Wheels(helper, l, r, in.setting()))
	}
	built, err := builtLayers(r, in, sources, below.And(layers...))
	return layers.And(built...), err
}

// stageWheelLayers returns the layers of the packages that only a stage has, on the runtime's layers. Its wheels are whole; those of the runtime lie in the runtime's own layers.
func stageWheelLayers(r *recipe.Recipe, in given, runtime ops.Layers) (ops.Layers, error) {
	there, sources := wheelbuild.Split(in.Extra)
	limit := room(r, in.Base, runtime, reserved(r, len(runtime.OfKind(layerplan.KindModel)))) - len(sources)
	helper := in.Helpers.Root(in.Helpers.Wheels)
	var layers ops.Layers
	for _, l := range layerplan.PlanWheels(there, r.Layers, limit, r.Requires.Last) {
		layers = layers.And(install.Wheels(helper, l, install.WithStartup(r, l.Wheels), in.setting()))
	}
	built, err := builtLayers(r, in, sources, runtime.And(layers...))
	return layers.And(built...), err
}

// builtLayers returns the layers of the packages that are built, on the builder stage. below are the layers of the image so far.
func builtLayers(r *recipe.Recipe, in given, sources []pylock.Wheel, below ops.Layers) (ops.Layers, error) {
	if len(sources) == 0 {
		return nil, nil
	}
	root, err := builderRoot(r, in)
	if err != nil {
		return nil, err
	}
	image := wheelbuild.Image{
		Recipe: r, Base: in.Base, Interpreter: in.Interpreter, Packages: slices.Concat(in.Wheels, in.Extra), Below: below,
		Root: root, WithPython: withPython(r, in, ops.BaseToRead(in.Base, in.platform)),
	}
	return wheelbuild.Layers(sources, image, in.Build, in.setting())
}
