package layerplan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/llbtest/plantest"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
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
		{"one small wheel", []pylock.Wheel{plantest.Wheel("six", 11_000)}, 90, []string{"1 small wheel (bin 6)"}},
		{"just below an own layer", []pylock.Wheel{plantest.Wheel("six", 5*mb-1)}, 90, []string{"1 small wheel (bin 6)"}},
		{"an own layer", []pylock.Wheel{plantest.Wheel("six", 5*mb)}, 90, []string{"six 1.2.3"}},
		{"unknown size", []pylock.Wheel{plantest.Wheel("six", 0)}, 90, []string{"six 1.2.3"}},
		{"one part up to half as much again", []pylock.Wheel{plantest.Wheel("jax", 210*mb-1)}, 90, []string{"jax 1.2.3"}},
		{"two parts", []pylock.Wheel{plantest.Wheel("jax", 210*mb)}, 90, []string{"jax 1.2.3 (part 1 of 2)", "jax 1.2.3 (part 2 of 2)"}},
		{"stable first", []pylock.Wheel{plantest.Wheel("torchvision", 7*mb), plantest.Wheel("scipy", 30*mb), plantest.Wheel("torch", 90*mb), plantest.Wheel("tensorflow-cpu", 90*mb),
			plantest.Wheel("triton", 90*mb), plantest.Wheel("jaxlib", 90*mb), plantest.Wheel("nvidia-nccl-cu12", 90*mb), plantest.Wheel("cuda-bindings", 10*mb), plantest.Wheel("a", 10*mb)}, 90,
			[]string{"cuda-bindings 1.2.3", "nvidia-nccl-cu12 1.2.3", "jaxlib 1.2.3", "tensorflow-cpu 1.2.3", "torch 1.2.3", "triton 1.2.3",
				"a 1.2.3", "scipy 1.2.3", "torchvision 1.2.3"}},
		{"own layers before bins", []pylock.Wheel{plantest.Wheel("a", 1), plantest.Wheel("z", 10*mb)}, 90, []string{"z 1.2.3", "1 small wheel (bin 5)"}},
		{"parts are given up first", []pylock.Wheel{plantest.Wheel("torch", 600*mb), plantest.Wheel("scipy", 30*mb)}, 3,
			[]string{"torch 1.2.3 (part 1 of 2)", "torch 1.2.3 (part 2 of 2)", "scipy 1.2.3"}},
		{"then all of them", []pylock.Wheel{plantest.Wheel("torch", 600*mb), plantest.Wheel("scipy", 30*mb)}, 2, []string{"torch 1.2.3", "scipy 1.2.3"}},
		{"then the smallest go to the bins", []pylock.Wheel{plantest.Wheel("torch", 100*mb), plantest.Wheel("numpy", 30*mb), plantest.Wheel("pandas", 16*mb), plantest.Wheel("x", 0)}, 3,
			[]string{"torch 1.2.3", "x 1.2.3", "2 small wheels (bin 3)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, layerNames(PlanWheels(c.wheels, plantest.Budget, c.limit, nil))); d != "" {
				t.Errorf("layers (-want +got):\n%s", d)
			}
		})
	}
}

// TestLastWheels: packages of python.last have layers of their own above all others, in its order.
func TestLastWheels(t *testing.T) {
	wheels := []pylock.Wheel{plantest.Wheel("torch", 210*mb), plantest.Wheel("six", 1000), plantest.Wheel("cv", 60*mb), plantest.Wheel("tiny", 10)}
	want := []string{"cv 1.2.3", "1 small wheel (bin 6)", "tiny 1.2.3", "torch 1.2.3 (part 1 of 2)", "torch 1.2.3 (part 2 of 2)"}
	if d := cmp.Diff(want, layerNames(PlanWheels(wheels, plantest.Budget, 90, []string{"tiny", "torch", "none"}))); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
}

func TestPartsOfAWheel(t *testing.T) {
	for size, want := range map[int64]int{0: 1, mb: 1, 140 * mb: 1, 209 * mb: 1, 280 * mb: 2, 420 * mb: 3, 900 * mb: 6, 3000 * mb: 21} {
		n := parts(plantest.Wheel("x", size), plantest.Budget.Split)
		if n != want {
			t.Errorf("%d bytes: %d parts, want %d", size, n, want)
		}
		if each := size / int64(n); n > 1 && (each < 105*mb || each > 175*mb) {
			t.Errorf("%d bytes: parts of %d, want about 140 MB", size, each)
		}
	}
	if n := parts(plantest.Wheel("x", 900*mb), 0); n != 1 {
		t.Errorf("without a split size there are %d parts", n)
	}
	for k, l := range PlanWheels([]pylock.Wheel{plantest.Wheel("x", 420*mb)}, plantest.Budget, 90, nil) {
		if l.Part != (wheel.Part{K: k, N: 3}) || l.Size != 140*mb || len(l.Wheels) != 1 {
			t.Errorf("part %d: %+v", k, l)
		}
	}
}

// TestBinsAreStable: where a small wheel lies depends on its name alone.
func TestBinsAreStable(t *testing.T) {
	var many []pylock.Wheel
	for i := range 60 {
		many = append(many, plantest.Wheel(fmt.Sprintf("package-%d", i), 20_000))
	}
	before := binOf(PlanWheels(many, plantest.Budget, 90, nil))
	if len(before) != 60 {
		t.Fatalf("%d wheels lie in bins, want 60", len(before))
	}
	for i := range many {
		without := slices.Delete(slices.Clone(many), i, i+1)
		for name, bin := range binOf(PlanWheels(without, plantest.Budget, 90, nil)) {
			if before[name] != bin {
				t.Fatalf("without %s, %s moves from %s to %s", many[i].Name, name, before[name], bin)
			}
		}
	}
	with := append(slices.Clone(many), plantest.Wheel("newcomer", 1), plantest.Wheel("huge", 700*mb))
	slices.Reverse(with)
	for name, bin := range binOf(PlanWheels(with, plantest.Budget, 90, nil)) {
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
