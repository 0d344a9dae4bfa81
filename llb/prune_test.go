package llb

import (
	"testing"

	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestPruneRulesKeep: what packages import at run time stays, though it has the name of tests.
func TestPruneRulesKeep(t *testing.T) {
	p := query.WheelPruning(recipe.Pruning{Rules: profiles.PruneRules})
	for name, stays := range map[string]bool{
		"tensorflow/_api/v2/__internal__/test/__init__.py": true, "tensorflow/_api/v2/compat/v1/test/__init__.py": true, "django/test/client.py": true,
		"numba/tests/support.py": true, "skimage/io/__init__.pyi": true, "triton/backends/nvidia/include/cuda.h": true,
		"tensorflow/dtensor/python/tests/test_util.py": false, "pandas/tests/test_x.py": false, "numpy/__init__.pyi": false,
	} {
		if got := p.Removes(name) < 0; got != stays {
			t.Errorf("%s stays: %t, want %t", name, got, stays)
		}
	}
}
