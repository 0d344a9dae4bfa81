package layerplan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/llbtest/plantest"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// randomWheels has sizes of every order, some unknown, and names of every rank.
func randomWheels(rnd *rand.Rand) []pylock.Wheel {
	prefixes := []string{"", "nvidia-", "cuda-", "tensorflow-"}
	all := make([]pylock.Wheel, rnd.IntN(400))
	for i := range all {
		size := rnd.Int64N(1 << (1 + rnd.IntN(31)))
		if rnd.IntN(10) == 0 {
			size = 0
		}
		all[i] = plantest.Wheel(fmt.Sprintf("%sp%d", prefixes[rnd.IntN(len(prefixes))], i), size)
	}
	return all
}

// TestPlanProperties: each wheel lies in exactly one layer, or in all parts of itself; the limit holds; order of input does not matter.
func TestPlanProperties(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1980)) // the same cases in every run
	for run := range 300 {
		b := recipe.LayerBudget{OwnBytes: rnd.Int64N(20 * mb), Split: rnd.Int64N(300 * mb), Bins: 1 + rnd.IntN(32)}
		wheels, limit := randomWheels(rnd), b.Bins+rnd.IntN(120)
		layers := PlanWheels(wheels, b, limit, nil)
		if len(layers) > limit {
			t.Errorf("run %d: %d layers, limit %d", run, len(layers), limit)
		}
		checkPartition(t, run, wheels, layers)
		checkOrder(t, run, layers)
		slices.Reverse(wheels)
		if d := cmp.Diff(layers, PlanWheels(wheels, b, limit, nil)); d != "" {
			t.Errorf("run %d: another order of wheels gives another plan:\n%s", run, d)
		}
	}
}

func checkPartition(t *testing.T, run int, wheels []pylock.Wheel, layers []Layer) {
	t.Helper()
	shares := map[string]int{} // parts of a wheel seen
	whole := map[string]int{}  // parts that there should be
	for _, l := range layers {
		if l.Kind != "wheels" || l.Name == "" || len(l.Wheels) == 0 || l.Part.N > 1 && len(l.Wheels) != 1 {
			t.Errorf("run %d: layer %+v", run, l)
		}
		for _, w := range l.Wheels {
			if l.Part.N > 0 && l.Part.K != shares[w.Name] {
				t.Errorf("run %d: part %d of %s comes as number %d", run, l.Part.K, w.Name, shares[w.Name])
			}
			shares[w.Name]++
			whole[w.Name] = max(1, l.Part.N)
		}
	}
	if !maps.Equal(shares, whole) {
		t.Errorf("run %d: a wheel lies in more or fewer layers than it should", run)
	}
	for _, w := range wheels {
		if shares[w.Name] == 0 {
			t.Errorf("run %d: %s lies in no layer", run, w.Name)
		}
	}
	if len(shares) != len(wheels) {
		t.Errorf("run %d: %d wheels in layers, want %d", run, len(shares), len(wheels))
	}
}

func checkOrder(t *testing.T, run int, layers []Layer) {
	t.Helper()
	last, inBins := 0, false
	for _, l := range layers {
		if _, isBin := binOf([]Layer{l})[l.Wheels[0].Name]; isBin {
			inBins = true
			continue
		}
		if r := Rank(l.Wheels[0].Name); inBins || r < last {
			t.Errorf("run %d: %s comes too late", run, l.Name)
		} else {
			last = r
		}
	}
}
