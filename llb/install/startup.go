package install

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// stageStartup are files of well-known packages that run code at every start of Python, which only stages may have: they measure coverage where a
// variable asks for it, and no image that is shipped has them unless the project allows them.
var stageStartup = map[string]string{
	"coverage":   "coverage/a1_coverage.pth",
	"pytest-cov": "pytest-cov/pytest-cov.pth",
}

// StageStartup lists the startup files that only stages may have without being allowed, as items of python.allow.
func StageStartup() []string { return slices.Sorted(maps.Values(stageStartup)) }

// WithStartup is a recipe that prunes nothing and allows the well-known startup files of packages.
func WithStartup(r *recipe.Recipe, packages []pylock.Wheel) *recipe.Recipe {
	stage := *r
	stage.Prune = recipe.Pruning{}
	for _, w := range packages {
		if file := stageStartup[w.Name]; file != "" && !slices.Contains(stage.Requires.Allow, file) {
			stage.Requires.Allow = append(slices.Clone(stage.Requires.Allow), file)
		}
	}
	return &stage
}
