package profiles

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

func TestPruning(t *testing.T) {
	rule := func(name string) recipe.PruneRule {
		return PruneRules[slices.IndexFunc(PruneRules, func(r recipe.PruneRule) bool { return r.Name == name })]
	}
	own := recipe.PruneRule{Name: "torch/include/**", Patterns: []string{"torch/include/**"}}
	const text = "prune: [tests]\nprofiles:\n  cpu: {}\n  gpu: {accelerator: cuda, prune: {remove: [\"torch/include/**\", tests, tests], keep: [\"b/**\", \"a/tests/**\", \"b/**\"]}}\n" +
		"  full: {prune: []}\n  kept: {prune: {keep: [\"a/**\"]}}\n"
	for profile, want := range map[string]recipe.Pruning{
		"cpu":  {Rules: []recipe.PruneRule{rule("tests")}},
		"gpu":  {Rules: []recipe.PruneRule{own, rule("tests")}, Keep: []string{"a/tests/**", "b/**"}},
		"full": {},
		"kept": {},
	} {
		if d := cmp.Diff(want, settings(t, text, Selection{Profile: profile}).Prune); d != "" {
			t.Errorf("%s (-want +got):\n%s", profile, d)
		}
	}
}

// TestCUDALibraries: what a base of kind cuda has by its variant is left out of the packages, and nothing for other bases.
func TestCUDALibraries(t *testing.T) {
	const text = "prune: [cuda-libraries, pyi]\nprofiles:\n  gpu: {accelerator: {cuda: \"12.6\"}, base: cuda}\n  small: {extends: gpu, base: {kind: cuda, variant: base}}\n" +
		"  newer: {extends: gpu, base: {kind: cuda, version: \"12.8\"}}\n  slim: {accelerator: {cuda: \"12.6\"}}\n"
	for profile, want := range map[string]struct{ first, patterns int }{"cpu": {0, 0}, "slim": {0, 0}, "gpu": {1, len(PruneRules[0].Patterns)}, "newer": {1, len(PruneRules[0].Patterns)}, "small": {1, 2}} {
		r := settings(t, text, Selection{Profile: profile})
		if n := len(r.Prune.Rules); n != want.first+1 || want.first == 1 && len(r.Prune.Rules[0].Patterns) != want.patterns {
			t.Errorf("%s: %+v", profile, r.Prune)
		}
		if said := slices.Contains(r.Notes, "cuda-libraries leaves nothing out: the base has no CUDA of its own"); said != (profile == "slim") {
			t.Errorf("%s: notes %q", profile, r.Notes)
		}
	}
	if all := PruneRules[0].Patterns; slices.ContainsFunc(all, func(p string) bool { return strings.Contains(p, "cudnn") || strings.Contains(p, "nccl") }) {
		t.Errorf("a library whose version does not follow from CUDA's: %q", all)
	}
}

func TestFaultsOfPruning(t *testing.T) {
	runFaults(t, []faultCase{
		{"unknown rule", yamlFile("prune: [test]\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:9: the pruning rule \"test\" does not exist | did you mean \"tests\"?"}},
		{"patterns", yamlFile("prune: [\"**\", \"a[/b\", \"/opt/x\", \"a/../b\", \"!a/b\", \"a:b/c\"]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:9: \"**\" matches everything", "E-SPEC mlbuild.yaml:1:15: is not a valid pattern", "E-SPEC mlbuild.yaml:1:23: does not begin below site-packages",
			"E-SPEC mlbuild.yaml:1:33: does not begin below", "E-SPEC mlbuild.yaml:1:43: is an exception", "E-SPEC mlbuild.yaml:1:51: holds a colon"}},
		{"keep", yamlFile("prune: {remove: [pyi], keep: [\"\"]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:31: is not a valid pattern"}},
		{"older CUDA", yamlFile("prune: [cuda-libraries]\nprofiles: {gpu: {accelerator: {cuda: \"12.6\"}, base: {kind: cuda, version: \"12.4\"}}}\n"), Selection{Profile: "gpu"}, []string{
			"E-CUDA mlbuild.yaml:1:9: the base has CUDA 12.4, whose libraries cannot stand for those of CUDA 12.6 | leave out base.version"}},
		{"unknown CUDA", yamlFile("prune: [cuda-libraries]\nprofiles: {gpu: {base: {kind: cuda, version: \"12.4\"}}}\n"), Selection{Profile: "gpu"}, []string{
			"E-SPEC mlbuild.yaml:1:9: needs to know the CUDA of the packages | accelerator: {cuda: \"12.4\"}"}},
		{"mapping", yamlFile("prune: {rules: [pyi]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:9: unknown key \"rules\" in prune"}},
		{"bytecode", yamlFile("bytecode: optimised\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:11: bytecode must be true or false"}},
	})
}

// TestPruneTable: the rules are sorted, their patterns are ones that a project may write, and docs/runtime.md names each.
func TestPruneTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(pruneNames()) {
		t.Errorf("not sorted: %q", pruneNames())
	}
	r := yamldoc.NewReport()
	for _, rule := range PruneRules {
		if !strings.Contains(string(doc), "| `"+rule.Name+"` | ") {
			t.Errorf("docs/runtime.md does not say what %s is", rule.Name)
		}
		for _, p := range rule.Patterns {
			if !prunePattern(r, yamldoc.String{Value: strings.TrimPrefix(p, "!"), Set: true}) {
				t.Errorf("%s: %v", rule.Name, r.Faults)
			}
		}
	}
}
