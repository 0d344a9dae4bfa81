package llb

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// modelsStage is the models alone: nothing is below them.
func modelsStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if len(r.Models) == 0 {
		return nil, fault.New(fault.Spec, "profile %s has no models", r.Profile).Hint("name them: models: [https://models.example/model.pt]")
	}
	if err := checkModels(r, in); err != nil {
		return nil, err
	}
	return models.Layers(models.Plan(r, in.Models, r.Layers.Max), in.Tool, newDirTable(r), in.setting())
}

// checkModels refuses two files at one path with fault.Spec: of two models, or of a model and the app. A directory of the project counts by its place.
func checkModels(r *recipe.Recipe, in given) error {
	if len(in.Models) != len(r.Models) {
		return fault.New(fault.Internal, "%d models were looked up, the recipe has %d", len(in.Models), len(r.Models))
	}
	type owned struct{ path, by string }
	var all []owned
	for i := range r.Models {
		model := &r.Models[i]
		by := "the model " + model.Name
		for _, f := range in.Models[i].Files {
			if model.Unpack {
				break
			}
			all = append(all, owned{models.Path(model, f), by})
		}
		if len(in.Models[i].Files) == 0 || model.Unpack {
			all = append(all, owned{model.To, by})
		}
	}
	if in.Target != recipe.StageModels {
		for _, rule := range r.App.Copy {
			for _, f := range rule.Files {
				all = append(all, owned{destination(rule, f), "the project's " + f})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b owned) int { return cmp.Compare(a.path, b.path) })
	var faults fault.List
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		models := strings.HasPrefix(a.by, "the model ") || strings.HasPrefix(b.by, "the model ")
		if a.path == b.path && a.by != b.by && models {
			faults = append(faults, fault.New(fault.Spec, "%s and %s would both become %s", a.by, b.by, a.path).Hint("give one of them another destination with to:"))
		}
	}
	return faults.Err()
}

// modelLabels adds to the labels which commit a model's branch or tag was.
func modelLabels(labels map[string]string, r *recipe.Recipe, in given) map[string]string {
	var more []recipe.Pair
	for i, model := range r.Models {
		if rev := in.Models[i].Revision; rev != "" {
			more = append(more, recipe.Pair{Name: profiles.ModelLabel(model.Name, "revision"), Value: rev})
		}
		if in.Target == recipe.StageModels {
			more = append(more, modelPairs(r, model.Name)...)
		}
	}
	return withLabels(labels, more)
}

// modelPairs are the labels that the recipe has for one model.
func modelPairs(r *recipe.Recipe, name string) []recipe.Pair {
	return slices.DeleteFunc(slices.Clone(r.App.Labels), func(p recipe.Pair) bool {
		return !strings.HasPrefix(p.Name, profiles.ModelLabel(name, ""))
	})
}
