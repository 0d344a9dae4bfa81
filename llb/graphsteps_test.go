package llb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestStepsByDigest: a graph says of each vertex that can fail for a cause of its own what it is for, and the daemon is told nothing of it.
func TestStepsByDigest(t *testing.T) {
	for _, c := range []struct {
		name  string
		graph *Graph
		want  []string
	}{
		{"wheels and system packages", compile(t, nil), []string{
			"download filelock-1.2.3-py3-none-any.whl: filelock-1.2.3-py3-none-any.whl (16.0 kB)",
			"download numpy-1.2.3-py3-none-any.whl: numpy-1.2.3-py3-none-any.whl (16.8 MB)",
		}},
		{"a package from source", compile(t, func(r *recipe.Recipe, in *Inputs) { sourceProject(r, in, nil, []pylock.Wheel{sdistOf("speedups")}) }), []string{
			"build-wheel speedups: wheel of speedups 1.2.3, required by the project",
			"download speedups-1.2.3.tar.gz: speedups-1.2.3.tar.gz (5.0 kB)",
		}},
		{"the project's own steps", compile(t, withSteps), []string{"own bake model: bake model", "own build lib: build lib", "own run third: run third"}},
		{"models", modelGraph(t), []string{
			"fetch-model ranker: ranker.bin (5 B): ranker: ranker.bin (5 B)", "fetch-model repo: model.bin (7 B): ",
			"model-git repo: repo: https://git.example/repo.git at cccc",
			"unpack-model tokens: unpack the archive of tokens",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			g := llbtest.Decode(t, c.graph.Definition)
			for d, s := range c.graph.Steps {
				v, ok := g.ByDigest[d.String()]
				if !ok || !strings.HasSuffix(v.Name, "] "+s.Title) {
					t.Errorf("%v is said of the vertex %q", s, v.Name)
				}
				got = append(got, fmt.Sprintf("%s %s: %s", s.Kind, s.Name, s.Title))
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
					t.Errorf("%q is not among\n%s", want, strings.Join(llbtest.Sorted(got), "\n"))
				}
			}
			for _, v := range g.All {
				if d := cmp.Diff(map[string]string{"llb.customname": v.Name}, v.Meta.Description); d != "" {
					t.Errorf("the daemon is told of %s (-want +got):\n%s", v.Name, d)
				}
			}
		})
	}
}

// TestStepsOfTests: the steps of the tests are among the graph's.
func TestStepsOfTests(t *testing.T) {
	g := compile(t, forStage("testing"))
	if !slices.ContainsFunc(steps(g), func(s ops.Step) bool { return s.Kind == ops.StepTest && s.Title == "ruff check; pytest -q" }) {
		t.Errorf("steps: %v", steps(g))
	}
}

func steps(g *Graph) []ops.Step {
	var all []ops.Step
	for _, s := range g.Steps {
		all = append(all, s)
	}
	return all
}
