package llb

import (
	"slices"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// stageStartup are files of well-known packages that run code at every start of Python, which only stages may have: they measure coverage where a
// variable asks for it, and no image that is shipped has them unless the project allows them.
var stageStartup = map[string]string{
	"coverage":   "coverage/a1_coverage.pth",
	"pytest-cov": "pytest-cov/pytest-cov.pth",
}

// stageWheels adds the wheels that only a stage has, whole. Those of the runtime lie in the runtime's own layers.
func (m *image) stageWheels() error {
	helper := ops.HelperRoot(m.in.Helpers.Wheels)
	there, sources := ready(m.in.Extra)
	for _, l := range layerplan.PlanWheels(there, m.recipe.Layers, m.room()-len(sources)) {
		r := *m.recipe
		r.Prune = recipe.Pruning{}
		for _, w := range l.Wheels {
			if file := stageStartup[w.Name]; file != "" && !slices.Contains(r.Requires.Allow, file) {
				r.Requires.Allow = append(slices.Clone(r.Requires.Allow), file)
			}
		}
		m.add(l, wheelLayer(helper, l, &r, m.in))
	}
	return m.buildWheels(sources)
}
