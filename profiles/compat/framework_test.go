package compat

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// madeUp is a framework that nobody has heard of, beside one of another kind.
var madeUp = Frameworks{
	{
		Name:          "ember",
		Names:         Names{All: []string{"ember", "ember-gpu"}, CPU: "ember", CPUArm: "ember-arm", CUDA: "ember-gpu[libs]", CUDA13: "ember-gpu13", NeedsExtras: true},
		WithoutCUDA:   map[string]string{"ember-gpu": "ember"},
		CUDAInVersion: true,
		Pairs:         []string{"embervision"},
		FirstLayers:   []string{"ember*"},
		Train: Train{
			System: []string{"libember"}, Build: []string{"ember-dev"}, Env: map[string]string{"EMBER": "1", "ASH": "0"},
			With: map[string]map[string]string{"coals": {"COALS_WITH_EMBER": "1"}}, Launch: []string{"emberrun"},
		},
		Init: Init{Profiles: true, System: []string{"libgomp1"}},
		Releases: []Release{
			{Version: "1.0", CUDA: "11.8", Builds: []string{"cu118"}, Python: []string{"3.9", "3.11"}, With: map[string]string{"embervision": "0.1"}},
			{Version: "1.1", CUDA: "12.6", Builds: []string{"cu118", "cu126"}, Python: []string{"3.10", "3.12"}, With: map[string]string{"embervision": "0.2"}},
		},
	},
	{Name: "coals", Train: Train{System: []string{"openmpi-bin"}}},
}

// TestOneRowIsEnough: all that mlbuild does for a framework follows from its row.
func TestOneRowIsEnough(t *testing.T) {
	ember := madeUp.Of("ember-gpu")
	t.Run("names", func(t *testing.T) {
		cpu, cuda12, cuda13 := recipe.Accelerator{Kind: recipe.NoAccelerator}, recipe.Accelerator{Kind: recipe.CUDA, CUDA: "12.6"}, recipe.Accelerator{Kind: recipe.CUDA, CUDA: "13.0"}
		for _, c := range []struct {
			name, extras, platform, want string
			accelerator                  recipe.Accelerator
		}{
			{"ember-gpu", "", "linux/amd64", "ember", cpu}, {"ember", "[x]", "linux/amd64", "ember[x]", cpu}, {"ember", "", "linux/arm64", "ember-arm", cpu},
			{"ember", "", "linux/amd64", "ember-gpu[libs]", cuda12}, {"ember", "", "linux/amd64", "ember-gpu13", cuda13}, {"ember", "[cuda]", "linux/amd64", "ember[cuda]", cuda12},
		} {
			if got := ember.PackageFor(c.name, c.extras, c.accelerator, c.platform); got != c.want {
				t.Errorf("%s%s for %v on %s is %s, want %s", c.name, c.extras, c.accelerator, c.platform, got, c.want)
			}
		}
		if got := madeUp[1].PackageFor("coals", "", cuda12, "linux/amd64"); got != "coals" {
			t.Errorf("a framework with one name became %s", got)
		}
		if got := madeUp.WithoutCUDA("ember-gpu"); got != "ember" {
			t.Errorf("without CUDA it is %q", got)
		}
	})
	t.Run("CUDA", func(t *testing.T) {
		if got := madeUp.CUDA(packagesOf("cuda-toolkit 12.8.1, ember-gpu 1.1.0+cu126")); got != "12.6" {
			t.Errorf("the CUDA is %s, want that of the framework's version", got)
		}
		if got := madeUp.CUDA(packagesOf("cuda-toolkit 12.8.1, coals 1.1.0+cu126")); got != "12.8" {
			t.Errorf("the CUDA is %s, want that of the toolkit", got)
		}
		gpu := &recipe.Recipe{Profile: "gpu", Python: recipe.Python{Version: "3.11"}, Accelerator: recipe.Accelerator{Kind: recipe.CUDA, CUDA: "12.8"}}
		c := wheelCheck{table: madeUp, recipe: gpu, wheels: packagesOf("ember-gpu 1.1.0+cu126"), via: func(string) []string { return nil }}
		c.cuda()
		if err := c.faults.Err(); err == nil || !strings.Contains(c.faults[0].Hints[0], "ember 1.1 exists for CUDA 11.8, 12.6") {
			t.Errorf("another CUDA than the wanted one: %v", err)
		}
		c = wheelCheck{table: madeUp, recipe: gpu, wheels: packagesOf("ember-gpu 1.1.0")}
		c.cuda()
		if len(c.notes) != 1 || !strings.Contains(c.notes[0], "require ember-gpu[libs]") {
			t.Errorf("without CUDA libraries the notes are %q", c.notes)
		}
	})
	t.Run("releases", func(t *testing.T) {
		faults, _ := madeUp.faults("ember-gpu", "1.0.3", "3.12", "12.6")
		if len(faults) != 2 || !strings.Contains(faults[0].Error(), "ember-gpu 1.0.3 has no wheel for Python 3.12") || !strings.Contains(faults[1].Error(), "ember 1.0.3 was not built for CUDA 12.6") {
			t.Errorf("a release for another Python and another CUDA: %v", faults)
		}
		if faults, _ := madeUp.faults("ember", "1.0.3", "3.11", "12.6"); len(faults) != 0 {
			t.Errorf("the package for CPU is held against a CUDA: %v", faults)
		}
		if _, note := madeUp.faults("ember", "1.2", "3.11", ""); !strings.Contains(note, "ember 1.2 is newer") {
			t.Errorf("a newer release: %q", note)
		}
		if f := ember.PairFault("embervision", "0.2.1", "1.0.3"); f == nil || !strings.Contains(f.Error(), "embervision 0.2.1 is built for ember 1.1") {
			t.Errorf("a pair that does not fit: %v", f)
		}
		if f := ember.PairFault("embervision", "0.1.1", "1.0.3"); f != nil {
			t.Errorf("a pair that fits: %v", f)
		}
	})
	t.Run("train", func(t *testing.T) {
		got := madeUp.Training(func(name string) bool { return name == "ember" })
		if !slices.Equal(got.System, []string{"libember"}) || !slices.Equal(got.Build, []string{"ember-dev"}) || !slices.Equal(got.Launch, []string{"emberrun"}) ||
			!slices.Equal(got.Env, []recipe.Pair{{Name: "ASH", Value: "0"}, {Name: "EMBER", Value: "1"}}) {
			t.Errorf("a training image has %+v", got)
		}
		got = madeUp.Training(func(string) bool { return true })
		if !slices.Contains(got.Env, recipe.Pair{Name: "COALS_WITH_EMBER", Value: "1"}) || !slices.Equal(got.System, []string{"libember", "openmpi-bin"}) {
			t.Errorf("with the other one it has %+v", got)
		}
	})
	t.Run("init", func(t *testing.T) {
		if !madeUp.Profiles(func(name string) bool { return name == "ember" }) || madeUp.Profiles(func(name string) bool { return name == "coals" }) {
			t.Error("ember alone is wanted for CPU and for CUDA")
		}
		if got := madeUp.Libraries(); len(got) != 1 || !slices.Equal(got["ember"], []string{"libgomp1"}) {
			t.Errorf("libraries %v", got)
		}
	})
	t.Run("layers", func(t *testing.T) {
		if !madeUp.InFirstLayers("ember-gpu") || madeUp.InFirstLayers("coals") {
			t.Error("ember's layers alone come first")
		}
	})
}

// TestFrameworksAreWellFormed: rows are sorted and name each thing once.
func TestFrameworksAreWellFormed(t *testing.T) {
	seen, last := map[string]string{}, ""
	for _, f := range Known().Frameworks {
		if f.Name <= last {
			t.Errorf("%s does not come after %s", f.Name, last)
		}
		last = f.Name
		for _, name := range f.names() {
			if other := seen[name]; other != "" {
				t.Errorf("%s is a name of %s and of %s", name, other, f.Name)
			}
			seen[name] = f.Name
		}
		if !slices.Contains(f.names(), f.Name) || !slices.Contains(f.names(), f.cudaName()) {
			t.Errorf("%s does not name itself among its names", f.Name)
		}
		if (f.Names.CPU == "") != (f.Names.CUDA == "") {
			t.Errorf("%s has a name for one accelerator only", f.Name)
		}
	}
	if torch := Torch(); torch == nil || torch.Index.URL == "" || len(torch.Index.AArch64) == 0 || !slices.Contains(torch.Index.Family, "torch") {
		t.Errorf("PyTorch without its index: %+v", torch)
	}
}
