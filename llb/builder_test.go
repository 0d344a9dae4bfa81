package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestBuilderStage: apt on the base, in one layer of its own when the stage is an image, and nothing of it in the runtime.
func TestBuilderStage(t *testing.T) {
	tools := func(r *recipe.Recipe, _ *Inputs) { r.Builder.System = []string{"cmake", "g++"} }
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		tools(r, in)
		in.Target, in.Wheels = "builder", nil
	})
	v := g.named("apt-get install cmake g++")
	if args := v.op.GetExec().Meta.Args; !slices.Equal(args, []string{"/bin/sh", "-eu", aptScriptPath, "cmake", "g++"}) {
		t.Errorf("arguments %q", args)
	}
	if from := g.inputs(v)[0]; from.op.GetSource().GetIdentifier() != "docker-image://"+baseRef || v.meta.ProgressGroup.Id != "mlbuild-builder" {
		t.Errorf("the compilers are installed on %s, in the group %s", from.name, v.meta.ProgressGroup.Id)
	}
	if n := len(g.kinds("merge")); n != 1 || len(g.kinds("diff")) != 1 || len(g.kinds("http")) != 0 {
		t.Errorf("%d merges, %d diffs, %d downloads", n, len(g.kinds("diff")), len(g.kinds("http")))
	}
	plan := compile(t, func(r *recipe.Recipe, in *Inputs) {
		tools(r, in)
		in.Target = "builder"
	}).Plan
	if len(plan.Layers) != 1 || plan.Layers[0].Kind != "builder" || plan.Layers[0].Name != "cmake g++" {
		t.Errorf("plan %+v", plan.Layers)
	}
	with, without := dump(compiled(t, tools)), dump(compiled(t, nil))
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
