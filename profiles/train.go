package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
)

// trains reports whether a profile is train or extends it.
func (p *Project) trains(profile string) bool {
	return slices.Contains(p.chain(profile), "train") && p.builtIn("train") != nil
}

// trainEnv is what every training image has: NCCL says what goes wrong.
var trainEnv = []recipe.Pair{{Name: "NCCL_DEBUG", Value: "WARN"}}

// trainingWith returns what a training image has for the packages that the project asks for.
func trainingWith(direct []requirements.Requirement) compat.Training {
	t := compat.Known().Frameworks.Training(func(name string) bool { return requirements.AsksFor(direct, name) })
	t.Env = slices.Concat(trainEnv, t.Env)
	return t
}

// trainScript is the file that a training image runs on every GPU of its machine where the project names no command, "" if there is none.
func trainScript(t files.Tree, a recipe.App) string {
	for _, name := range []string{"train.py", "main.py"} {
		if isCopied(t, a, name) {
			return name
		}
	}
	return ""
}
