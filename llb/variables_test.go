package llb

import (
	"errors"
	"slices"
	"strings"
	"testing"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func refers(name, value string) recipe.Pair {
	return recipe.Pair{Name: name, Value: value, Refers: true, At: fault.Position{File: "mlbuild.yaml", Line: 3, Column: 8}}
}

// TestVariables: a reference to itself is what the image had before, one to another what that becomes.
func TestVariables(t *testing.T) {
	base := []string{"PATH=/usr/bin:/bin", "CUDA_HOME=/usr/local/cuda", "EMPTY=", "LD_LIBRARY_PATH=/usr/local/nvidia/lib"}
	for _, c := range []struct {
		name string
		env  []recipe.Pair
		want string
	}{
		{"before the image's PATH", []recipe.Pair{refers("PATH", "/opt/x/bin:$PATH")}, "PATH=/opt/x/bin:/opt/venv/bin:/usr/bin:/bin"},
		{"behind it, in braces", []recipe.Pair{refers("PATH", "${PATH}:/opt/x/bin")}, "PATH=/opt/venv/bin:/usr/bin:/bin:/opt/x/bin"},
		{"another variable of the base", []recipe.Pair{refers("PATH", "$CUDA_HOME/bin:$PATH")}, "PATH=/usr/local/cuda/bin:/opt/venv/bin:/usr/bin:/bin"},
		{"one of the project, with one of the base in it", []recipe.Pair{refers("A", "$B/a"), refers("B", "$CUDA_HOME/b")}, "A=/usr/local/cuda/b/a"},
		{"libraries", []recipe.Pair{refers("LD_LIBRARY_PATH", "/opt/x/lib:$LD_LIBRARY_PATH")}, "LD_LIBRARY_PATH=/opt/x/lib:/opt/lib:/usr/local/nvidia/lib"},
		{"libraries without a reference", []recipe.Pair{{Name: "LD_LIBRARY_PATH", Value: "/opt/x/lib"}}, "LD_LIBRARY_PATH=/opt/lib:/opt/x/lib"},
		{"a list that is not set", []recipe.Pair{refers("PYTHONPATH", "/app/lib:$PYTHONPATH")}, "PYTHONPATH=/app/lib"},
		{"a default", []recipe.Pair{refers("A", "${NOBODY:-x}${EMPTY:-y}${CUDA_HOME:-z}")}, "A=xy/usr/local/cuda"},
		{"an empty one", []recipe.Pair{refers("A", "<$EMPTY>")}, "A=<>"},
		{"a dollar", []recipe.Pair{refers("A", "$$CUDA_HOME$CUDA_HOME$1$")}, "A=$CUDA_HOME/usr/local/cuda$1$"},
		{"the user's home", []recipe.Pair{refers("HF_HOME", "$HOME/.hf")}, "HF_HOME=/home/app/.hf"},
		{"a plain value with a dollar", []recipe.Pair{{Name: "A", Value: "$CUDA_HOME"}}, "A=$CUDA_HOME"},
		{"a plain PATH keeps the environment", []recipe.Pair{{Name: "PATH", Value: "/opt/x/bin:/usr/bin"}}, "PATH=/opt/venv/bin:/opt/x/bin:/usr/bin"},
		{"a plain PATH that has it", []recipe.Pair{{Name: "PATH", Value: "/opt/x/bin:/opt/venv/bin"}}, "PATH=/opt/x/bin:/opt/venv/bin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := config(t, func(r *recipe.Recipe, in *Inputs) {
				in.Base.Config.Config.Env, r.App.Env, r.LibraryPath = base, c.env, []string{"/opt/lib"}
				r.User.Home = "/home/app"
			}).Config.Env
			if !slices.Contains(env, c.want) {
				t.Errorf("want %s in %q", c.want, env)
			}
		})
	}
}

// TestCapabilitiesOfTheBase: what a base asks of the driver is kept beside what mlbuild asks by itself, and a project's own value stays.
func TestCapabilitiesOfTheBase(t *testing.T) {
	const name = "NVIDIA_DRIVER_CAPABILITIES"
	for _, c := range []struct{ base, ours, want string }{
		{"compute,utility", "compute,utility", "compute,utility"}, {"graphics,compute,video", "compute,utility", "compute,utility,graphics,video"}, {"all", "compute,utility", "all"},
		{"", "compute,utility", "compute,utility"}, {"all", "utility", "utility"},
	} {
		env := config(t, func(r *recipe.Recipe, in *Inputs) {
			in.Base.Config.Config.Env, r.App.Env = []string{"PATH=/bin", name + "=" + c.base}, []recipe.Pair{{Name: name, Value: c.ours}}
		}).Config.Env
		if !slices.Contains(env, name+"="+c.want) {
			t.Errorf("base %s, ours %s: %q, want %s", c.base, c.ours, env, c.want)
		}
	}
}

// TestUnknownVariables: one that nobody sets is an error with its place, and so are two that refer to each other.
func TestUnknownVariables(t *testing.T) {
	r, in := llbtest.Recipe(), inputs()
	in.Env = nil
	in.Base.Config.Config.Env = []string{"PATH=/bin", "LANG=C.UTF-8"}
	r.App.Env = []recipe.Pair{refers("A", "$NOBODY/x"), refers("B", "$C"), refers("C", "$B"), refers("D", "$A")}
	_, err := Compile(r, in)
	if err == nil {
		t.Fatal("no error")
	}
	var faults fault.List
	if !errors.As(err, &faults) || len(faults) != 3 {
		t.Fatalf("%v, want three faults", err)
	}
	for i, want := range []string{"the variable A refers to NOBODY, which neither the base nor the project sets", "the variables B → C → B refer to each other", "the variables C → B → C refer to each other"} {
		f := faults[i]
		if f.Code != fault.Spec || f.Message != want || f.At.String() != "mlbuild.yaml:3:8" {
			t.Errorf("%v, want %s with its place", f, want)
		}
	}
	if hints := strings.Join(faults[0].Hints, "\n"); !strings.Contains(hints, "LANG, PATH") || !strings.Contains(hints, "$$NOBODY") {
		t.Errorf("hints %q, want those that there are, and how a dollar is written", hints)
	}
}

// TestVariablesOfSteps: a step's variables, and those of other stages, are over the app's.
func TestVariablesOfSteps(t *testing.T) {
	r, in := llbtest.Recipe(), inputs()
	in.Env = nil
	in.Base.Config.Config.Env = []string{"PATH=/bin"}
	in.Images = map[string]ops.Base{"tool": {Config: dockerspec.DockerOCIImage{}}}
	r.App.Env = []recipe.Pair{refers("PATH", "/app/bin:$PATH"), {Name: "X", Value: "app"}}
	r.Testing = &recipe.Testing{Env: []recipe.Pair{refers("PATH", "/tests/bin:$PATH")}}
	r.Dev = &recipe.Dev{Env: []recipe.Pair{refers("X", "$X-dev")}}
	r.Smoke = &recipe.Smoke{Env: []recipe.Pair{refers("X", "$X-smoke")}}
	r.Bake = []recipe.Bake{{Script: recipe.Script{Env: []recipe.Pair{refers("PATH", "$HOME/bin:$PATH")}}, Root: true}}
	r.Run = []recipe.Hook{{Script: recipe.Script{Env: []recipe.Pair{refers("Y", "$X/$HOME")}}, User: true}}
	r.Build = []recipe.BuildStep{{Image: "tool", Script: recipe.Script{Env: []recipe.Pair{refers("PATH", "/b:$PATH")}}}}
	r.User.Home = "/home/app"
	in.Env = r.App.Env
	got, _, err := withVariables(r, given{Inputs: in})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want string }{
		"testing": {got.Testing.Env[0].Value, "/tests/bin:/app/bin:/opt/venv/bin:/bin"},
		"dev":     {got.Dev.Env[0].Value, "app-dev"},
		"smoke":   {got.Smoke.Env[0].Value, "app-smoke"},
		"bake":    {got.Bake[0].Env[0].Value, "/root/bin:/app/bin:/opt/venv/bin:/bin"},
		"run":     {got.Run[0].Env[0].Value, "app//home/app"},
		"build":   {got.Build[0].Env[0].Value, "/b:" + ops.SystemPath},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
	if r.Testing.Env[0].Value != "/tests/bin:$PATH" || r.Smoke.Env[0].Value != "$X-smoke" || r.Bake[0].Env[0].Value != "$HOME/bin:$PATH" {
		t.Error("the recipe itself was changed")
	}
}
