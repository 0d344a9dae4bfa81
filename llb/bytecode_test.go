package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func withBytecode(r *recipe.Recipe, _ *Inputs) { r.Bytecode = true }

// TestBytecodeLayers: each wheel layer with Python files has a sibling, the parts of a large one share theirs, and the project's files have one above them.
func TestBytecodeLayers(t *testing.T) {
	layers := compile(t, withBytecode).Plan.Layers
	var names []string
	for _, l := range layers {
		if strings.HasPrefix(l.Name, "bytecode of ") {
			names = append(names, strings.TrimPrefix(l.Name, "bytecode of "))
		}
	}
	var want []string
	for _, l := range compile(t, nil).Plan.Layers {
		switch {
		case l.Kind != layerplan.KindWheels || strings.HasPrefix(l.Name, "nvidia-") || l.Part.K > 0:
		case l.Part.N > 1:
			want = append(want, l.Wheels[0].Name+" "+l.Wheels[0].Version)
		default:
			want = append(want, l.Name)
		}
	}
	want = append(want, "the project's files")
	if !slices.Equal(names, want) || len(want) < 5 {
		t.Errorf("bytecode of %q, want %q", names, want)
	}
	if last := layers[len(layers)-1]; last.Name != "bytecode of the project's files" {
		t.Errorf("the last layer is %q", last.Name)
	}
}

// TestBytecodeSteps: the image's Python, without network, over trees that it cannot change; the result is the other mount.
func TestBytecodeSteps(t *testing.T) {
	g := compiled(t, withBytecode)
	for name, trees := range map[string]int{"compile numpy 1.2.3": 1, "compile torch 1.2.3": 1, "compile the project's files": 1} {
		e := g.Named(name).Op.GetExec()
		if e.Meta.Args[0] != "/usr/local/bin/python3.11" || e.Network != pb.NetMode_NONE || !slices.Contains(e.Meta.Env, "PYTHONHASHSEED=0") {
			t.Errorf("%s: %q, network %v, environment %q", name, e.Meta.Args[:4], e.Network, e.Meta.Env)
		}
		in := 0
		for _, m := range e.Mounts {
			if strings.HasPrefix(m.Dest, "/in/") {
				in++
				if !m.Readonly {
					t.Errorf("%s may write in %s", name, m.Dest)
				}
			}
		}
		if in != trees {
			t.Errorf("%s reads %d trees, want %d", name, in, trees)
		}
	}
	split := compiled(t, func(r *recipe.Recipe, _ *Inputs) { r.Bytecode, r.Layers.Split = true, 50_000_000 })
	if e := split.Named("compile torch 1.2.3").Op.GetExec(); llbtest.Mount(split.Named("compile torch 1.2.3"), "/in/3") == nil {
		t.Errorf("torch's four parts are not compiled together: %v", e.Mounts)
	}
}

// TestBytecodeChangesNothingElse: every other layer has the definition that it has without.
func TestBytecodeChangesNothingElse(t *testing.T) {
	r, in := llbtest.Recipe(), inputs()
	plain, err := Layers(r, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Bytecode = true
	more, err := Layers(r, in)
	if err != nil {
		t.Fatal(err)
	}
	last := func(d *pb.Definition) string { return string(d.Def[len(d.Def)-1]) }
	var all []string
	for _, d := range more {
		all = append(all, last(d))
	}
	for i, d := range plain {
		if !slices.Contains(all, last(d)) {
			t.Errorf("layer %d is another one with bytecode", i)
		}
	}
}

// TestBytecodeRoom: the layers stay within the budget.
func TestBytecodeRoom(t *testing.T) {
	g := compile(t, func(r *recipe.Recipe, in *Inputs) {
		r.Bytecode, r.Layers.Max = true, 40
		for i := range 60 {
			in.Wheels = append(in.Wheels, llbtest.Wheel(strings.Repeat("x", i+1), 6_000_000+int64(i)))
		}
	})
	if n := g.Plan.BaseLayers + len(g.Plan.Layers); n > 40 {
		t.Errorf("%d layers", n)
	}
}

// TestPythonOfThePackages: where the interpreter is one of the system packages, they lie over the base while it compiles.
func TestPythonOfThePackages(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) { r.Bytecode, r.Base.Interpreter = true, "/usr/bin/python3.11" })
	if merge := g.Named("the Python that compiles").Op.GetMerge(); merge == nil || len(merge.Inputs) != 2 {
		t.Errorf("merge %v, want the base and the system packages", merge)
	}
}

// TestPruneArguments: the rules are in the arguments of the steps that unpack wheels, and nowhere without rules.
func TestPruneArguments(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) {
		r.Prune = recipe.Pruning{Rules: []recipe.PruneRule{{Name: "tests", Patterns: []string{"**/tests/**", "!a/tests/**"}}, {Name: "x/*", Patterns: []string{"x/*"}}}, Keep: []string{"b/**"}}
	})
	args := strings.Join(g.Named("unpack numpy").Op.GetExec().Meta.Args, " ")
	if want := " -prune **/tests/**:!a/tests/** -prune x/* -keep b/** /in/0/"; !strings.Contains(args, want) {
		t.Errorf("%s, want%s in it", args, want)
	}
	if args := compiled(t, nil).Named("unpack numpy").Op.GetExec().Meta.Args; slices.Contains(args, "-prune") {
		t.Errorf("without rules: %q", args)
	}
}
