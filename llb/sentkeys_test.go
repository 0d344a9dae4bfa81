package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// sentOf maps the layers of a compiled graph that have files of the project, and more than these, to what they are made from.
func sentOf(t *testing.T, change func(*recipe.Recipe, *Inputs)) map[string]Sent {
	t.Helper()
	g := compile(t, func(r *recipe.Recipe, in *Inputs) {
		withSteps(r, in)
		r.Run[2].After = "packages" // what is above the project's files has all of them
		in.Session = ops.Session{ID: "one"}
		if change != nil {
			change(r, in)
		}
	})
	all := map[string]Sent{}
	for i, s := range g.Sent {
		if len(s.Files) > 0 && !g.Plan.Layers[i].FromContext() {
			all[g.Plan.Layers[i].Name] = s
		}
	}
	return all
}

// TestSent: a layer that is made from files of the project is known by all else that makes it, wherever and in whichever session that is done, and by the files.
func TestSent(t *testing.T) {
	usual := sentOf(t, nil)
	if len(usual) != 1 || digest.Digest(usual["model"].Definition).Validate() != nil || !slices.Equal(usual["model"].Files[0].Paths, []string{"make.py"}) {
		t.Fatalf("of a bake step with inputs: %+v", usual)
	}
	elsewhere := sentOf(t, func(_ *recipe.Recipe, in *Inputs) {
		in.Reference = in.Helpers
		in.Worker, in.Helpers.Wheels = ocispecs.Platform{OS: "linux", Architecture: "arm64"}, "sha256:"+llbtest.Sum("for arm")
		in.Network, in.Session = ops.Network{CA: true, Proxy: ops.Proxy{HTTPS: "http://proxy.example"}}, ops.Session{ID: "another"}
	})
	if d := cmp.Diff(usual, elsewhere); d != "" {
		t.Errorf("on another daemon, behind a proxy (-usual +got):\n%s", d)
	}
	for name, change := range map[string]func(*recipe.Recipe, *Inputs){
		"the command":         func(r *recipe.Recipe, _ *Inputs) { r.Bake[0].Commands = []string{"python other.py"} },
		"a variable":          func(r *recipe.Recipe, _ *Inputs) { r.Bake[0].Env[0].Value = "en" },
		"the inputs":          func(r *recipe.Recipe, _ *Inputs) { r.Bake[0].Inputs[0].Files = []string{"make.py", "more.py"} },
		"where they lie":      func(r *recipe.Recipe, _ *Inputs) { r.Bake[0].Inputs[0].To = "/elsewhere/" },
		"what is left out":    func(r *recipe.Recipe, _ *Inputs) { r.App.Ignore = append(r.App.Ignore, "*.log") },
		"the outputs":         func(r *recipe.Recipe, _ *Inputs) { r.Bake[0].Outputs[0].From = "/app/other" },
		"a wheel":             func(_ *recipe.Recipe, in *Inputs) { in.Wheels[2].SHA256 = llbtest.Sum("another") },
		"the base":            func(_ *recipe.Recipe, in *Inputs) { in.Base = llbtest.Base(llbtest.OtherRef, 4) },
		"the image's setting": func(r *recipe.Recipe, _ *Inputs) { r.App.Env = append(r.App.Env, recipe.Pair{Name: "A", Value: "b"}) },
		"a step below":        func(r *recipe.Recipe, _ *Inputs) { r.Build[0].Source.Commit = strings.Repeat("b", 40) },
		"the helper":          func(_ *recipe.Recipe, in *Inputs) { in.Helpers.StepTarget = "sha256:" + llbtest.Sum("newer") },
	} {
		if got := sentOf(t, change)["model"]; got.Definition == usual["model"].Definition || got.Definition == "" {
			t.Errorf("%s: the layer is known as before, or not at all", name)
		}
	}
	for name, change := range map[string]func(*recipe.Recipe, *Inputs){
		"a base that is not held":         func(_ *recipe.Recipe, in *Inputs) { in.Base.Ref = "docker.io/library/python:3.11-slim" },
		"files that another client sends": func(_ *recipe.Recipe, in *Inputs) { in.Session = ops.Session{} },
	} {
		if got := sentOf(t, change); len(got) > 0 {
			t.Errorf("%s: known as %+v", name, got)
		}
	}
	one, other := digest.FromString("1"), digest.FromString("2")
	if s := usual["model"]; s.Key([]digest.Digest{one}) == s.Key([]digest.Digest{other}) || s.Key([]digest.Digest{one}) == (Sent{Definition: "x"}).Key([]digest.Digest{one}) {
		t.Error("the key does not go by the contents")
	}
}

// TestSentFiles: a layer of nothing but the project's files is known by where they go and what they hold, in whichever session they are sent.
func TestSentFiles(t *testing.T) {
	of := func(change func(*recipe.Recipe, *Inputs)) Sent {
		g := compile(t, func(r *recipe.Recipe, in *Inputs) {
			in.Session = ops.Session{ID: "one"}
			change(r, in)
		})
		i := slices.IndexFunc(g.Plan.Layers, layerplan.Layer.FromContext)
		return g.Sent[i]
	}
	usual := of(func(*recipe.Recipe, *Inputs) {})
	if len(usual.Files) == 0 || digest.Digest(usual.Definition).Validate() != nil {
		t.Fatalf("known as %+v", usual)
	}
	for name, test := range map[string]struct {
		change func(*recipe.Recipe, *Inputs)
		same   bool
	}{
		"another session":  {func(_ *recipe.Recipe, in *Inputs) { in.Session.ID = "another" }, true},
		"another daemon":   {func(_ *recipe.Recipe, in *Inputs) { in.Worker = ocispecs.Platform{OS: "linux", Architecture: "arm64"} }, true},
		"a wheel":          {func(_ *recipe.Recipe, in *Inputs) { in.Wheels[2].SHA256 = llbtest.Sum("another") }, true},
		"the directory":    {func(r *recipe.Recipe, _ *Inputs) { r.App.Workdir = "/srv/other" }, false},
		"what is left out": {func(r *recipe.Recipe, _ *Inputs) { r.App.Ignore = append(r.App.Ignore, "*.txt") }, false},
		"the owner":        {func(r *recipe.Recipe, _ *Inputs) { r.User.UID++ }, false},
	} {
		if got := of(test.change); cmp.Equal(usual, got) != test.same {
			t.Errorf("%s: known as %+v, before as %+v", name, got, usual)
		}
	}
}
