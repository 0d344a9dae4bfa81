package llb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestGolden compares whole graphs as text. Run with -update after a wanted change and read the difference.
func TestGolden(t *testing.T) {
	for name, g := range map[string]llbtest.Graph{
		"service": compiled(t, nil),
		"arm-root": compiled(t, func(r *recipe.Recipe, in *Inputs) {
			r.Profile, r.Platform, r.Python.Version, r.System = "gpu", "linux/arm64", "3.12", nil
			r.User = recipe.User{Home: "/root"}
			in.Base.Distro, in.Session = "", ops.Session{ID: "session"}
		}),
	} {
		t.Run(name, func(t *testing.T) { llbtest.CompareGolden(t, name+".golden", llbtest.Dump(g)) })
	}
}

// TestCacheKeys notices when the steps that unpack wheels change for equal inputs.
func TestCacheKeys(t *testing.T) {
	steps := compiled(t, nil).WheelSteps()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		fmt.Fprintf(&text, "%s %s\n", steps[name], name)
	}
	llbtest.CompareGolden(t, "cachekeys.golden", text.String())
	if t.Failed() {
		t.Error("The cache key of every wheel layer has changed. With the next release each daemon and each shared cache fetches and " +
			"unpacks all wheels of all projects once more. If that is wanted, run go test ./llb -run TestCacheKeys -update and say so in the commit.")
	}
}

// TestPlanPrints holds the names under which a plan is printed: scripts read them.
func TestPlanPrints(t *testing.T) {
	plan := layerplan.Plan{BaseLayers: 4, Layers: layerplan.PlanWheels(llbtest.Wheels()[3:4], llbtest.Budget, 90, nil)[:1]}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"base_layers":4`, `"kind":"wheels"`, `"name":"nvidia-cublas-cu12 1.2.3 (part 1 of 3)"`, `"size":131000000`} {
		if !strings.Contains(string(data), field) {
			t.Errorf("%s is not in %s", field, data)
		}
	}
}
