package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// planOf is a plan of layers, each given with its key.
func planOf(base string, layers ...layerJSON) planJSON {
	return planJSON{Recipe: &recipe.Recipe{Profile: "cpu", Platform: "linux/amd64"}, Target: "runtime", Base: base, Plan: layersJSON{4, layers}}
}

func wheelLayer(name, version, key string, size int64) layerJSON {
	w := pylock.Wheel{Name: name, Version: version}
	return layerJSON{Layer: layerplan.Layer{Kind: layerplan.KindWheels, Name: name + " " + version, Wheels: []pylock.Wheel{w}, Size: size}, Key: key}
}

func bin(n int, key string, size int64, wheels ...pylock.Wheel) layerJSON {
	title := fmt.Sprintf("%d small wheels (bin %d)", len(wheels), n)
	return layerJSON{Layer: layerplan.Layer{Kind: layerplan.KindWheels, Name: title, Bin: n, Wheels: wheels, Size: size}, Key: key}
}

func TestDiffPlans(t *testing.T) {
	idna, click, rich := pylock.Wheel{Name: "idna", Version: "3.10"}, pylock.Wheel{Name: "click", Version: "8"}, pylock.Wheel{Name: "rich", Version: "14"}
	files := layerJSON{Layer: layerplan.Layer{Kind: layerplan.KindApp, Name: "the project's files"}}
	before := planOf("base@sha256:1", wheelLayer("numpy", "2.4.5", "a", 16_000_000), wheelLayer("pandas", "2.2", "b", 12_000_000), wheelLayer("torch", "2.9", "c", 800_000_000),
		bin(3, "d", 300_000, idna, click), files)
	after := planOf("base@sha256:2", wheelLayer("numpy", "2.4.6", "A", 17_000_000), wheelLayer("scipy", "1.14", "s", 33_000_000), wheelLayer("torch", "2.9", "c", 800_000_000),
		bin(3, "D", 350_000, pylock.Wheel{Name: "idna", Version: "3.11"}, rich), files)
	got := diffPlans([]planJSON{before}, []planJSON{after})
	want := []planDiff{{
		Profile: "cpu", Platform: "linux/amd64", Base: "base@sha256:1 → base@sha256:2", Same: 1, Unknown: 1, New: 50_350_000, Gone: 28_300_000,
		Layers: []layerChange{
			{Change: "changed", Kind: "wheels", Name: "numpy 2.4.6", What: "numpy 2.4.5 → 2.4.6", Before: 16_000_000, After: 17_000_000},
			{Change: "added", Kind: "wheels", Name: "scipy 1.14", After: 33_000_000},
			{Change: "changed", Kind: "wheels", Name: "2 small wheels (bin 3)", What: "click 8 is gone, idna 3.10 → 3.11, rich 14 is new", Before: 300_000, After: 350_000},
			{Change: "removed", Kind: "wheels", Name: "pandas 2.2", Before: 12_000_000},
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var out strings.Builder
	if err := printDiff(&out, got[0]); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"cpu for linux/amd64\n  base base@sha256:1 → base@sha256:2\n", "  ~ numpy 2.4.6             17.0 MB, was 16.0 MB    numpy 2.4.5 → 2.4.6\n",
		"  + scipy 1.14              33.0 MB                 added\n", "  - pandas 2.2              12.0 MB                 removed\n",
		"layers: 4 changed, 1 as before, 1 of the project's files not compared; 50.4 MB to make and push, 28.3 MB no longer used\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is not in\n%s", line, out.String())
		}
	}
	if same := diffPlans([]planJSON{after}, []planJSON{after}); len(same[0].Layers) != 0 || same[0].Base != "" || same[0].Same != 4 {
		t.Errorf("a plan against itself: %+v", same)
	}
	if alone := diffPlans(nil, []planJSON{after}); !alone[0].NotThere || len(alone[0].Layers) != 5 {
		t.Errorf("against nothing: %+v", alone)
	}
}
