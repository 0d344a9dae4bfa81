package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestBuilderStage: apt on the base, in one layer of its own when the stage is an image, and nothing of it in the runtime.
func TestBuilderStage(t *testing.T) {
	tools := func(r *recipe.Recipe, _ *Inputs) { r.Builder.System = []string{"cmake", "g++"} }
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		tools(r, in)
		in.Target, in.Wheels = "builder", nil
	})
	v := g.Named("apt-get install cmake g++")
	if args := v.Op.GetExec().Meta.Args; !slices.Equal(args, []string{"/bin/sh", "-eu", ops.AptScriptPath, "cmake", "g++"}) {
		t.Errorf("arguments %q", args)
	}
	if from := g.Inputs(v)[0]; from.Op.GetSource().GetIdentifier() != "docker-image://"+llbtest.BaseRef || v.Meta.ProgressGroup.Id != "mlbuild-builder" {
		t.Errorf("the compilers are installed on %s, in the group %s", from.Name, v.Meta.ProgressGroup.Id)
	}
	if n := len(g.Kinds("merge")); n != 1 || len(g.Kinds("diff")) != 1 || len(g.Kinds("http")) != 0 {
		t.Errorf("%d merges, %d diffs, %d downloads", n, len(g.Kinds("diff")), len(g.Kinds("http")))
	}
	plan := compile(t, func(r *recipe.Recipe, in *Inputs) {
		tools(r, in)
		in.Target = "builder"
	}).Plan
	if len(plan.Layers) != 1 || plan.Layers[0].Kind != "builder" || plan.Layers[0].Name != "cmake g++" {
		t.Errorf("plan %+v", plan.Layers)
	}
	with, without := llbtest.Dump(compiled(t, tools)), llbtest.Dump(compiled(t, nil))
	if with != without {
		t.Error("system.build changes the runtime image")
	}
}

// TestBuilderWithoutPackages is the base itself.
func TestBuilderWithoutPackages(t *testing.T) {
	g := compile(t, func(_ *recipe.Recipe, in *Inputs) { in.Target = "builder" })
	if len(g.Plan.Layers) != 0 || !strings.Contains(string(g.Config), `"python3"`) {
		t.Errorf("layers %+v, config %s", g.Plan.Layers, g.Config)
	}
}
