package llb

import (
	"cmp"
	"strings"

	"github.com/containerd/platforms"
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// image is an image before it is encoded: its layers in order, over the base that in names.
type image struct {
	recipe *recipe.Recipe
	in     given
	layers ops.Layers
}

// stages say of each stage which layers it has over its base.
var stages = map[recipe.Stage]func(*recipe.Recipe, given) (ops.Layers, error){
	recipe.StageBase:    baseStage,
	recipe.StageBuilder: builderStage,
	recipe.StageModels:  modelsStage,
	recipe.StageRuntime: runtimeStage,
	recipe.StageTesting: testingStage,
	recipe.StageDev:     devStage,
}

// assemble returns the image of a recipe's stage. It fails as Compile does.
func assemble(r *recipe.Recipe, inputs Inputs) (image, error) {
	p, err := platforms.Parse(r.Platform)
	if err != nil {
		return image{}, fault.New(fault.Platform, "platform %q: %w", r.Platform, err)
	}
	in := given{inputs, platforms.Normalize(p)}
	in.Target, in.Interpreter = cmp.Or(in.Target, recipe.StageRuntime), cmp.Or(in.Interpreter, r.Base.Interpreter)
	if in.Env == nil {
		in.Env = r.App.Env
	}
	if in.Target == recipe.StageModels {
		in.Base = ops.Base{} // nothing is below them
	} else if r, in, err = withVariables(r, in); err != nil {
		return image{}, err
	}
	stage := stages[in.Target]
	if stage == nil {
		return image{}, fault.New(fault.Spec, "there is no stage %q", in.Target).Hint("the stages are: %s", strings.Join(recipe.Texts(recipe.Stages), ", "))
	}
	layers, err := stage(r, in)
	return image{r, in, layers}, err
}

// runtimeStage is the image that is shipped.
func runtimeStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if err := mayCompile(r, in); err != nil {
		return nil, err
	}
	layers, accounts := systemLayers(r, in)
	return withPackagesAndFiles(r, in, layers, accounts)
}

// withPackagesAndFiles returns the layers with all others of the runtime on them. They are independent of each other, and nothing runs on top of them; only what the project's
// own commands make depends on what is below. accounts is the state whose /etc has the users and groups.
func withPackagesAndFiles(r *recipe.Recipe, in given, layers ops.Layers, accounts bkllb.State) (ops.Layers, error) {
	table := newDirTable(r)
	parts, system := models.Plan(r, in.Models, room(r, in.Base, layers, 1)/2), layers

	layers = layers.And(accountLayers(r, in, accounts)...).And(skeletonLayer(r, in, table)).And(replacedLayers(r, in)...)
	other, err := layersFromElsewhere(r, in, table)
	if err != nil {
		return nil, err
	}
	layers = layers.And(other.layers...).And(elsewhereCache(r, in, accounts, system, other.layers)...)
	apart := layers
	wheels, err := wheelLayers(r, in, layers, room(r, in.Base, layers, reserved(r, len(parts))))
	if err != nil {
		return nil, err
	}
	layers = layers.And(wheels...)
	layers = layers.And(environmentLayers(r, in, table, other.steps, layers)...)
	layers = layers.And(bytecodeLayers(r, in, layers)...)
	layers = layers.And(hookLayers(r, in, recipe.AfterPackages, layers)...)
	checked, err := checkLayers(r, in, table, layers)
	if err != nil {
		return nil, err
	}
	fetched, err := models.Layers(parts, in.Tool, table, in.setting())
	if err != nil {
		return nil, err
	}
	layers = layers.And(fetched...)
	on := ground{all: layers, apart: apart.And(fetched...), environment: environmentLayers(r, in, table, other.steps, nil)}
	layers = layers.And(bakeLayers(r, in, table, on)...).And(checked...)
	layers = layers.And(appLayers(r, in, table, layers)...)
	layers = layers.And(hookLayers(r, in, recipe.AfterApp, layers)...)
	served, err := serviceLayers(r, in, table, layers)
	return layers.And(served...), err
}

// mayCompile refuses what cannot become an image.
func mayCompile(r *recipe.Recipe, in given) error {
	if err := checkDirs(r); err != nil {
		return err
	}
	if err := checkModels(r, in); err != nil {
		return err
	}
	return install.CheckPackages(r, in.System)
}

// reserved is the number of layers that the budget keeps for models, for what the project's own steps make, for the checks and for the project's files.
func reserved(r *recipe.Recipe, models int) int {
	checks := 1
	if r.Smoke != nil {
		checks++
	}
	return models + len(r.Bake) + len(r.Run) + inEnvironmentCount(r) + checks + 1
}

// room returns the number of layers that the budget leaves to wheels and packages, over some that are there and under later ones; with bytecode each of them
// may become two. What only the dev stage has does not count: its wheels lie in the same layers as the runtime's.
func room(r *recipe.Recipe, base ops.Base, layers ops.Layers, later int) int {
	left := r.Layers.Max - len(base.Config.RootFS.DiffIDs) - later
	for _, l := range layers {
		if l.Kind != layerplan.KindDev {
			left--
		}
	}
	if r.Bytecode {
		left = (left - 1) / 2
	}
	return max(left, r.Layers.Bins)
}
