package llb

import (
	"fmt"
	"testing"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestBudget: all layers of the image together stay within the budget, whatever the base brings.
func TestBudget(t *testing.T) {
	for _, layers := range []int{1, 5, 40, 60, 88} {
		for _, size := range []int64{20_000, 6 * 1_000_000, 0, 900 * 1_000_000} {
			in := inputs()
			in.Base, in.Wheels, in.Checks = llbtest.Base(llbtest.BaseRef, layers), nil, CheckAll
			in.Helpers.Checks = "sha256:" + llbtest.Sum("helper for checks")
			for i := range 500 {
				in.Wheels = append(in.Wheels, llbtest.Wheel(fmt.Sprintf("package-%d", i), size))
			}
			g, err := Compile(llbtest.Recipe(), in)
			if err != nil {
				t.Fatal(err)
			}
			total := g.Plan.BaseLayers + len(g.Plan.Layers)
			if total > llbtest.Budget.Max {
				t.Errorf("base of %d, 500 wheels of %d bytes: %d layers, more than %d", layers, size, total, llbtest.Budget.Max)
			}
			if size > 5*1_000_000 && total < llbtest.Budget.Max {
				t.Errorf("base of %d, 500 wheels of %d bytes: %d layers, fewer than the budget allows", layers, size, total)
			}
			merges := llbtest.Decode(t, g.Definition).Kinds("merge")
			if got := len(merges[len(merges)-1].Op.Inputs); got != 1+len(g.Plan.Layers) {
				t.Errorf("%d inputs of the merge for %d layers", got, len(g.Plan.Layers))
			}
		}
	}
}

// TestBudgetOfABaseThatFillsIt: the bins remain, because the wheels have to lie somewhere.
func TestBudgetOfABaseThatFillsIt(t *testing.T) {
	g := compile(t, func(_ *recipe.Recipe, in *Inputs) { in.Base = llbtest.Base(llbtest.BaseRef, 120) })
	var made int
	for _, l := range g.Plan.Layers {
		if l.Kind == layerplan.KindWheels {
			made++
		}
	}
	if made == 0 || made > llbtest.Budget.Bins {
		t.Errorf("%d layers of wheels, want 1 to %d", made, llbtest.Budget.Bins)
	}
}
