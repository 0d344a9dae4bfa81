package llb

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// forStage makes the recipe one with the testing and the dev stage, and asks for one of them.
func forStage(target recipe.Stage) func(*recipe.Recipe, *Inputs) {
	return func(r *recipe.Recipe, in *Inputs) {
		in.Target, in.Extra = target, []pylock.Wheel{llbtest.Wheel("pluggy", 20_000), llbtest.Wheel("pytest", 350_000)}
		r.Testing = &recipe.Testing{
			Copy:     []recipe.CopyRule{{From: "tests", Files: []string{"tests"}, To: "/app/"}},
			Ignore:   []string{"**/*.log"},
			Commands: [][]string{{"ruff", "check"}, {"pytest", "-q"}}, Reports: []string{"junit.xml"},
			Env: []recipe.Pair{{Name: "KIND", Value: "small"}, {Name: "OMP_NUM_THREADS", Value: "1"}},
		}
		r.Dev = &recipe.Dev{
			System: []string{"git", "make"}, Command: []string{"/bin/zsh"}, Shell: "/bin/zsh", Ports: []string{"8888/tcp"},
			Env: []recipe.Pair{{Name: "SHELL", Value: "/bin/zsh"}},
		}
		r.Builder.System = []string{"g++", "make"}
		r.App.Healthcheck = &recipe.Healthcheck{Test: []string{"CMD", "true"}}
	}
}

func configOf(t *testing.T, g *Graph) dockerspec.DockerOCIImageConfig {
	t.Helper()
	var c dockerspec.DockerOCIImage
	if err := json.Unmarshal(g.Config, &c); err != nil {
		t.Fatal(err)
	}
	return c.Config
}

// kindsAndNames lists the layers of a plan as "kind: name".
func kindsAndNames(g *Graph) []string {
	var names []string
	for _, l := range g.Plan.Layers {
		names = append(names, string(l.Kind)+": "+l.Name)
	}
	return names
}

// TestTestingStage: the image is the runtime, what the tests need, and the tests; what runs them is another graph.
func TestTestingStage(t *testing.T) {
	g, runtime := compile(t, forStage("testing")), compile(t, func(r *recipe.Recipe, in *Inputs) {
		forStage("runtime")(r, in)
		in.Extra = nil
	})
	got, want := kindsAndNames(g), kindsAndNames(runtime)
	more := got[len(want):]
	if !slices.Equal(got[:len(want)], want) || len(more) < 2 || !strings.HasPrefix(more[0], "wheels: ") || more[len(more)-1] != "tests: the project's tests" {
		t.Errorf("layers %q", got)
	}
	below, above := llbtest.Decode(t, runtime.Definition), llbtest.Decode(t, g.Definition)
	for i, in := range below.Inputs(below.Kinds("merge")[0]) {
		if over := above.Inputs(above.Kinds("merge")[0])[i]; in.Digest != over.Digest {
			t.Errorf("the runtime's %q is another %q here", in.Name, over.Name)
		}
	}
	c := configOf(t, g)
	if !slices.Equal(c.Cmd, []string{"ruff", "check"}) || c.Healthcheck != nil || !slices.Contains(c.Env, "KIND=small") || !slices.Contains(c.Env, "OMP_NUM_THREADS=1") {
		t.Errorf("config %+v", c)
	}
	if runtime.Tests != nil || compile(t, forStage("dev")).Tests != nil {
		t.Error("another stage runs tests")
	}
}

// TestTestRun: the tests run as the image's user on the merge, with nothing that they do not need, and what they leave is reports.
func TestTestRun(t *testing.T) {
	g := llbtest.Decode(t, compile(t, forStage("testing")).Tests)
	v := g.Named("[testing] ruff check; pytest -q")
	e := v.Op.GetExec()
	args := []string{"/opt/venv/bin/python", "-I", "-B", "/run/mlbuild/tests/run.py", "/run/mlbuild/tests/task.json", "/run/mlbuild/results"}
	if d := cmp.Diff(args, e.Meta.Args); d != "" || e.Meta.User != "1000:1000" || e.Meta.Cwd != "/app" || e.Network != pb.NetMode_NONE {
		t.Errorf("args %q as %s in %s with network %s", e.Meta.Args, e.Meta.User, e.Meta.Cwd, e.Network)
	}
	if kind, _ := llbtest.Environ(v, "KIND"); kind != "small" {
		t.Errorf("environment %q", e.Meta.Env)
	}
	if s := e.Secretenv; len(s) != 1 || s[0].ID != RunSecret || s[0].Name != "MLBUILD_RUN" || !s[0].Optional {
		t.Errorf("secrets %v", s)
	}
	files := g.Inputs(v)[llbtest.Mount(v, "/run/mlbuild/tests").Input].Op.GetFile().Actions
	if task := string(files[1].GetMkfile().Data); task != `{"commands":[["ruff","check"],["pytest","-q"]],"reports":["junit.xml"]}` {
		t.Errorf("task %s", task)
	}
	over := g.Inputs(v)[0]
	for _, name := range []string{"[image to run in] the project's files", "[image to run in] the project's files"} {
		if over.Name != name {
			t.Fatalf("the tests run on %s", over.Name)
		}
		over = g.Inputs(over)[0]
	}
	if over.Kind() != "merge" {
		t.Errorf("below the project's files lies %s", over.Name)
	}
}

// TestNetworkOfTests: they have it where the project says so, with what the network needs.
func TestNetworkOfTests(t *testing.T) {
	g := llbtest.Decode(t, compile(t, func(r *recipe.Recipe, in *Inputs) {
		forStage("testing")(r, in)
		r.Testing.Network, in.Network = true, ops.Network{CA: true}
	}).Tests)
	v := g.Named("[testing] ruff check")
	if ca, _ := llbtest.Environ(v, "SSL_CERT_FILE"); v.Op.GetExec().Network != pb.NetMode_UNSET || ca != ops.CAPath {
		t.Errorf("network %s, CA %q", v.Op.GetExec().Network, ca)
	}
}

// TestTestsAgain: --no-cache=testing is about what runs them and nothing else, and no part of a key.
func TestTestsAgain(t *testing.T) {
	again := func(r *recipe.Recipe, in *Inputs) {
		forStage("testing")(r, in)
		in.NoCache = ops.NoCache{"testing"}
	}
	first, second := llbtest.Decode(t, compile(t, forStage("testing")).Tests), llbtest.Decode(t, compile(t, again).Tests)
	for i, v := range second.All {
		if v.Digest != first.All[i].Digest {
			t.Errorf("%s has another key", v.Name)
		}
		if ignored := v.Meta.GetIgnoreCache(); ignored && v.Kind() == "exec" != strings.HasPrefix(v.Name, "[testing] ruff") {
			t.Errorf("%s runs again", v.Name)
		}
	}
	if !second.Named("[testing] ruff check").Meta.IgnoreCache {
		t.Error("the tests do not run again")
	}
}

// TestDevStage: the runtime's layers, apt's over its packages, and an environment that belongs to the user.
func TestDevStage(t *testing.T) {
	dev, runtime := compile(t, forStage("dev")), compile(t, func(r *recipe.Recipe, in *Inputs) {
		forStage("runtime")(r, in)
		in.Extra = nil
	})
	g := llbtest.Decode(t, dev.Definition)
	apt := g.Named("[dev] apt-get install g++ git make")
	if from := g.Inputs(apt)[0]; from.Name != "[system packages] apt-get install libgomp1 libsndfile1" {
		t.Errorf("apt runs on %s", from.Name)
	}
	if from := g.Inputs(g.Named("[user] add user app"))[1]; from.Digest != apt.Digest {
		t.Errorf("the accounts are those of %s", from.Name)
	}
	have := g.WheelSteps()
	for name, key := range llbtest.Decode(t, runtime.Definition).WheelSteps() {
		if have[name] != key {
			t.Errorf("%s is another layer in the dev image", name)
		}
	}
	layers := kindsAndNames(dev)
	if last := layers[len(layers)-1]; last != "dev: an environment that app may change" {
		t.Errorf("layers %q", layers)
	}
	for _, a := range g.Named("[dev] the environment belongs to app").Op.GetFile().Actions {
		mk := a.GetMkdir()
		wantUser := strings.HasPrefix(mk.Path, "/opt/venv")
		if owned := mk.Owner.GetUser().GetByID() == 1000; mk.Path != "/" && owned != wantUser {
			t.Errorf("%s belongs to %v", mk.Path, mk.Owner)
		}
	}
	c := configOf(t, dev)
	_, jupyter := c.ExposedPorts["8888/tcp"]
	_, app := c.ExposedPorts["8000/tcp"]
	if !slices.Equal(c.Cmd, []string{"/bin/zsh"}) || c.Entrypoint != nil || c.Healthcheck != nil || !jupyter || !app || !slices.Contains(c.Env, "SHELL=/bin/zsh") {
		t.Errorf("config %+v", c)
	}
}

// TestDevLayoutIsTheRuntimes: also where the budget is tight, apt's layer takes no room from the wheels.
func TestDevLayoutIsTheRuntimes(t *testing.T) {
	tight := func(target recipe.Stage) map[string]string {
		return llbtest.Decode(t, compile(t, func(r *recipe.Recipe, in *Inputs) {
			forStage(target)(r, in)
			in.Extra, r.Layers.Max = nil, 14
		}).Definition).WheelSteps()
	}
	if d := cmp.Diff(tight("runtime"), tight("dev")); d != "" {
		t.Errorf("wheel layers (-runtime +dev):\n%s", d)
	}
}

// TestStageWheels: what only a stage has is not pruned, and coverage may start with Python there and nowhere else.
func TestStageWheels(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		forStage("testing")(r, in)
		in.Extra = append(in.Extra, llbtest.Wheel("coverage", 6_000_000))
		in.Wheels = append(in.Wheels, llbtest.Wheel("pytest-cov", 6_000_000))
		r.Prune.Rules = []recipe.PruneRule{{Patterns: []string{"**/tests"}}}
	})
	for name, want := range map[string]bool{"coverage": true, "pytest-cov": false} {
		args := g.Named("unpack " + name + " 1.2.3").Op.GetExec().Meta.Args
		if got := slices.Contains(args, "-allow-pth"); got != want || slices.Contains(args, "-prune") == want {
			t.Errorf("%s: %q", name, args)
		}
	}
}

// TestRootsDev: root needs nobody to give it the environment.
func TestRootsDev(t *testing.T) {
	layers := kindsAndNames(compile(t, func(r *recipe.Recipe, in *Inputs) {
		forStage("dev")(r, in)
		r.User = recipe.User{Name: "root", Home: "/root"}
	}))
	if slices.ContainsFunc(layers, func(l string) bool { return strings.Contains(l, "may change") }) {
		t.Errorf("layers %q", layers)
	}
}

// TestMissingStages: a recipe without the stage is refused.
func TestMissingStages(t *testing.T) {
	for _, target := range []recipe.Stage{"testing", "dev"} {
		in := inputs()
		in.Target = target
		if _, err := Compile(llbtest.Recipe(), in); !fault.Is(err, fault.Spec) || !strings.Contains(err.Error(), string(target)) {
			t.Errorf("%s: %v", target, err)
		}
	}
}
