package query

import (
	"testing"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestPruneRulesKeep: what packages import at run time stays, though it has the name of tests.
func TestPruneRulesKeep(t *testing.T) {
	p := WheelPruning(recipe.Pruning{Rules: profiles.PruneRules})
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

func TestPrunedBytes(t *testing.T) {
	p := recipe.Pruning{Rules: []recipe.PruneRule{{Name: "tests", Patterns: []string{"**/tests/**"}}, {Name: "static-libraries", Patterns: []string{"**/*.a"}}}, Keep: []string{"a/tests/keep.a"}}
	files := map[string]map[string]int64{
		"aa": {"a/tests/x.py": 10, "a/tests/lib.a": 5, "a/lib.a": 3, "a/tests/keep.a": 100, "a/__init__.py": 7},
		"bb": {"b/lib.a": 4}, "cc": {"c/c.py": 1},
	}
	got := Pruned(p, files)
	if len(got) != 3 || got["aa tests"] != 15 || got["aa static-libraries"] != 3 || got["bb static-libraries"] != 4 {
		t.Errorf("%v", got)
	}
}
