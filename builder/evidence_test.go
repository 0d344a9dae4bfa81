package builder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestChecksOf: how each check ended is told by what was heard of its step, and where none is heard, by whether the build came to its end.
func TestChecksOf(t *testing.T) {
	cpu := &recipe.Recipe{Platform: "linux/amd64"}
	cuda := &recipe.Recipe{Platform: "linux/amd64", Smoke: &recipe.Smoke{}}
	cuda.Accelerator.Kind = recipe.CUDA
	told := func(r check.Report) diagnose.CheckRun { return diagnose.CheckRun{Report: r, Told: true} }
	passed, failed := told(check.Report{Seconds: 3.4, Imported: 2}), told(check.Report{Seconds: 1, Faults: []check.Fault{{Kind: check.Import}}})
	for _, c := range []struct {
		name   string
		recipe *recipe.Recipe
		which  Checks
		target recipe.Stage
		steps  ops.Steps
		runs   map[string]diagnose.CheckRun
		ended  bool
		want   string
	}{
		{"all ran", cuda, CheckAll, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": passed, "service": passed}, true, "project passed, packages passed 3.4 s no gpu, service passed 3.4 s"},
		{"the daemon had them", cuda, "", "runtime", ops.Steps{}, map[string]diagnose.CheckRun{"packages": {}, "service": {}}, true, "project passed, packages reused, service reused"},
		{"one failed", cuda, CheckAll, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": failed, "service": {}}, false, "project passed, packages failed 1 s, service not run"},
		{"one broke", cpu, CheckAll, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": {Broken: true}}, false, "project passed, packages failed, service none: the project has no smoke section"},
		{"packages alone", cuda, CheckPackages, "", ops.Steps{}, map[string]diagnose.CheckRun{"packages": passed}, true, "project off, packages passed 3.4 s no gpu, service off"},
		{"none", cuda, CheckNothing, "", ops.Steps{}, nil, true, "project off, packages off, service off"},
		{"no packages", cpu, CheckAll, "", ops.Steps{}, nil, true, "project passed, packages none: the image has no packages beside its base's, service none: the project has no smoke section"},
		{"not compiled", cpu, CheckAll, "", nil, nil, false, "project passed, packages not run, service not run"},
		{"a stage", cpu, CheckAll, recipe.StageBuilder, ops.Steps{}, nil, true, ""},
		{"a stage whose packages are checked", cpu, CheckAll, recipe.StageTesting, ops.Steps{}, map[string]diagnose.CheckRun{"packages": passed}, true, "packages passed 3.4 s"},
	} {
		got := ""
		for _, is := range checksOf(c.recipe, c.which, c.target, c.steps, c.runs, c.ended) {
			if is.Platform != "linux/amd64" {
				t.Errorf("%s: a check is on %q", c.name, is.Platform)
			}
			got += toldOf(is)
		}
		if diff := cmp.Diff(c.want, trimmed(got)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func toldOf(c evidence.Check) string {
	said := string(c.Name) + " " + string(c.State)
	if c.State == evidence.None {
		said += ": " + c.Why
	}
	if c.Seconds > 0 {
		said += fmt.Sprintf(" %g s", c.Seconds)
	}
	if c.GPU == evidence.NoGPU {
		said += " no gpu"
	}
	return said + ", "
}

func trimmed(list string) string { return strings.TrimSuffix(list, ", ") }
