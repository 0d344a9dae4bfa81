package llb

import (
	"slices"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// stageStartup are files of well-known packages that run code at every start of Python, which only stages may have: they measure coverage where a
// variable asks for it, and no image that is shipped has them unless the project allows them.
var stageStartup = map[string]string{
	"coverage":   "coverage/a1_coverage.pth",
	"pytest-cov": "pytest-cov/pytest-cov.pth",
}

// stageWheelLayers returns the layers of the packages that only a stage has, on the runtime's layers. Its wheels are whole; those of the runtime lie in the runtime's own layers.
func stageWheelLayers(r *recipe.Recipe, in given, runtime ops.Layers) (ops.Layers, error) {
	there, sources := ready(in.Extra)
	limit := room(r, in.Base, runtime, reserved(r, len(runtime.OfKind(layerplan.KindModel)))) - len(sources)
	helper := ops.HelperRoot(in.Helpers.Wheels)
	var layers ops.Layers
	for _, l := range layerplan.PlanWheels(there, r.Layers, limit) {
		layers = layers.And(wheelLayer(helper, l, withStartup(r, l.Wheels), in))
	}
	built, err := builtLayers(r, in, sources, runtime.And(layers...))
	return layers.And(built...), err
}

// withStartup is a recipe that prunes nothing and allows the well-known startup files of packages.
func withStartup(r *recipe.Recipe, packages []pylock.Wheel) *recipe.Recipe {
	stage := *r
	stage.Prune = recipe.Pruning{}
	for _, w := range packages {
		if file := stageStartup[w.Name]; file != "" && !slices.Contains(stage.Requires.Allow, file) {
			stage.Requires.Allow = append(slices.Clone(stage.Requires.Allow), file)
		}
	}
	return &stage
}
