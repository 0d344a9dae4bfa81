package llb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const mb = 1_000_000

func layerNames(layers []Layer) []string {
	var names []string
	for _, l := range layers {
		names = append(names, l.Name)
	}
	return names
}

func TestPlanWheels(t *testing.T) {
	for _, c := range []struct {
		name   string
		wheels []pylock.Wheel
		limit  int
		want   []string
	}{
		{"nothing", nil, 90, nil},
		{"one small wheel", []pylock.Wheel{aWheel("six", 11_000)}, 90, []string{"1 small wheel (bin 6)"}},
		{"just below an own layer", []pylock.Wheel{aWheel("six", 5*mb-1)}, 90, []string{"1 small wheel (bin 6)"}},
		{"an own layer", []pylock.Wheel{aWheel("six", 5*mb)}, 90, []string{"six 1.2.3"}},
		{"unknown size", []pylock.Wheel{aWheel("six", 0)}, 90, []string{"six 1.2.3"}},
		{"one part up to half as much again", []pylock.Wheel{aWheel("jax", 210*mb-1)}, 90, []string{"jax 1.2.3"}},
		{"two parts", []pylock.Wheel{aWheel("jax", 210*mb)}, 90, []string{"jax 1.2.3 (part 1 of 2)", "jax 1.2.3 (part 2 of 2)"}},
		{"stable first", []pylock.Wheel{aWheel("torchvision", 7*mb), aWheel("scipy", 30*mb), aWheel("torch", 90*mb), aWheel("tensorflow-cpu", 90*mb),
			aWheel("triton", 90*mb), aWheel("jaxlib", 90*mb), aWheel("nvidia-nccl-cu12", 90*mb), aWheel("cuda-bindings", 10*mb), aWheel("a", 10*mb)}, 90,
			[]string{"cuda-bindings 1.2.3", "nvidia-nccl-cu12 1.2.3", "jaxlib 1.2.3", "tensorflow-cpu 1.2.3", "torch 1.2.3", "triton 1.2.3",
				"a 1.2.3", "scipy 1.2.3", "torchvision 1.2.3"}},
		{"own layers before bins", []pylock.Wheel{aWheel("a", 1), aWheel("z", 10*mb)}, 90, []string{"z 1.2.3", "1 small wheel (bin 5)"}},
		{"parts are given up first", []pylock.Wheel{aWheel("torch", 600*mb), aWheel("scipy", 30*mb)}, 3,
			[]string{"torch 1.2.3 (part 1 of 2)", "torch 1.2.3 (part 2 of 2)", "scipy 1.2.3"}},
		{"then all of them", []pylock.Wheel{aWheel("torch", 600*mb), aWheel("scipy", 30*mb)}, 2, []string{"torch 1.2.3", "scipy 1.2.3"}},
		{"then the smallest go to the bins", []pylock.Wheel{aWheel("torch", 100*mb), aWheel("numpy", 30*mb), aWheel("pandas", 16*mb), aWheel("x", 0)}, 3,
			[]string{"torch 1.2.3", "x 1.2.3", "2 small wheels (bin 3)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, layerNames(planWheels(c.wheels, budget, c.limit))); d != "" {
				t.Errorf("layers (-want +got):\n%s", d)
			}
		})
	}
}

func TestPartsOfAWheel(t *testing.T) {
	for size, want := range map[int64]int{0: 1, mb: 1, 140 * mb: 1, 209 * mb: 1, 280 * mb: 2, 420 * mb: 3, 900 * mb: 6, 3000 * mb: 21} {
		n := parts(aWheel("x", size), budget.Split)
		if n != want {
			t.Errorf("%d bytes: %d parts, want %d", size, n, want)
		}
		if each := size / int64(n); n > 1 && (each < 105*mb || each > 175*mb) {
			t.Errorf("%d bytes: parts of %d, want about 140 MB", size, each)
		}
	}
	if n := parts(aWheel("x", 900*mb), 0); n != 1 {
		t.Errorf("without a split size there are %d parts", n)
	}
	for k, l := range planWheels([]pylock.Wheel{aWheel("x", 420*mb)}, budget, 90) {
		if l.Part != (wheel.Part{K: k, N: 3}) || l.Size != 140*mb || len(l.Wheels) != 1 {
			t.Errorf("part %d: %+v", k, l)
		}
	}
}

// TestBinsAreStable: where a small wheel lies depends on its name alone.
func TestBinsAreStable(t *testing.T) {
	var many []pylock.Wheel
	for i := range 60 {
		many = append(many, aWheel(fmt.Sprintf("package-%d", i), 20_000))
	}
	before := binOf(planWheels(many, budget, 90))
	if len(before) != 60 {
		t.Fatalf("%d wheels lie in bins, want 60", len(before))
	}
	for i := range many {
		without := slices.Delete(slices.Clone(many), i, i+1)
		for name, bin := range binOf(planWheels(without, budget, 90)) {
			if before[name] != bin {
				t.Fatalf("without %s, %s moves from %s to %s", many[i].Name, name, before[name], bin)
			}
		}
	}
	with := append(slices.Clone(many), aWheel("newcomer", 1), aWheel("huge", 700*mb))
	slices.Reverse(with)
	for name, bin := range binOf(planWheels(with, budget, 90)) {
		if old, ok := before[name]; ok && old != bin {
			t.Errorf("with more wheels, %s moves from %s to %s", name, old, bin)
		}
	}
}

// binOf maps each wheel of a bin to "bin 3".
func binOf(layers []Layer) map[string]string {
	m := map[string]string{}
	for _, l := range layers {
		_, bin, ok := strings.Cut(l.Name, "(bin ")
		for _, w := range l.Wheels {
			if ok {
				m[w.Name] = "bin " + strings.TrimSuffix(bin, ")")
			}
		}
	}
	return m
}

// TestBudget: all layers of the image together stay within the budget, whatever the base brings.
func TestBudget(t *testing.T) {
	for _, layers := range []int{1, 5, 40, 60, 88} {
		for _, size := range []int64{20_000, 6 * mb, 0, 900 * mb} {
			in := inputs()
			in.Base, in.Wheels = base(baseRef, layers), nil
			for i := range 500 {
				in.Wheels = append(in.Wheels, aWheel(fmt.Sprintf("package-%d", i), size))
			}
			g, err := Compile(testRecipe(), in)
			if err != nil {
				t.Fatal(err)
			}
			total := g.Plan.BaseLayers + len(g.Plan.Layers)
			if total > budget.Max {
				t.Errorf("base of %d, 500 wheels of %d bytes: %d layers, more than %d", layers, size, total, budget.Max)
			}
			if size > 5*mb && total < budget.Max {
				t.Errorf("base of %d, 500 wheels of %d bytes: %d layers, fewer than the budget allows", layers, size, total)
			}
			if got := len(decode(t, g.Definition).kinds("merge")[0].op.Inputs); got != 1+len(g.Plan.Layers) {
				t.Errorf("%d inputs of the merge for %d layers", got, len(g.Plan.Layers))
			}
		}
	}
}

// TestBudgetOfABaseThatFillsIt: the bins remain, because the wheels have to lie somewhere.
func TestBudgetOfABaseThatFillsIt(t *testing.T) {
	g := compile(t, func(_ *recipe.Recipe, in *Inputs) { in.Base = base(baseRef, 120) })
	var made int
	for _, l := range g.Plan.Layers {
		if l.Kind == "wheels" {
			made++
		}
	}
	if made == 0 || made > budget.Bins {
		t.Errorf("%d layers of wheels, want 1 to %d", made, budget.Bins)
	}
}

func TestPlural(t *testing.T) {
	got := fmt.Sprint(plural(0, "wheel"), ", ", plural(1, "wheel"), ", ", plural(2, "wheel"))
	if want := "0 wheels, 1 wheel, 2 wheels"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 16_800_000: "16.8 MB", 1_000_000_000: "1.00 GB", 2_345_678_901: "2.35 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
