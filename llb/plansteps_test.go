package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/outline"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestSteps(t *testing.T) {
	g := compile(t, nil)
	steps, err := outline.Steps(g.Definition)
	if err != nil {
		t.Fatal(err)
	}
	find := func(stage, name string) outline.Step {
		i := slices.IndexFunc(steps, func(s outline.Step) bool { return s.Stage == stage && strings.HasPrefix(s.Name, name) })
		if i < 0 {
			t.Fatalf("no step of %s is named %q: %+v", stage, name, steps)
		}
		return steps[i]
	}
	if s := find("wheels", "unpack numpy"); s.Does != outline.DoesUnpack || s.Network {
		t.Errorf("%+v", s)
	}
	if s := find("system packages", "apt-get install"); s.Does != outline.DoesRun || !s.Network {
		t.Errorf("%+v", s)
	}
	if s := find("download", "numpy"); s.Does != outline.DoesDownload {
		t.Errorf("%+v", s)
	}
	if s := find("image", "cpu"); s.Does != outline.DoesMerge {
		t.Errorf("%+v", s)
	}
	for _, does := range []string{outline.DoesCopy, outline.DoesSend} {
		if !slices.ContainsFunc(steps, func(s outline.Step) bool { return s.Does == does }) {
			t.Errorf("no step would %s", does)
		}
	}
}

func TestLayerKeys(t *testing.T) {
	keys := func(change func(*recipe.Recipe, *Inputs)) map[string]string {
		g := compile(t, change)
		byName := map[string]string{}
		for i, l := range g.Plan.Layers {
			byName[string(l.Kind)+" "+l.Name] = g.Lineage.Keys[i]
		}
		return byName
	}
	before := keys(nil)
	again := keys(func(_ *recipe.Recipe, in *Inputs) {
		in.Session, in.NoCache = ops.Session{ID: "another"}, ops.NoCacheAll
	})
	bumped := keys(func(_ *recipe.Recipe, in *Inputs) { in.Wheels[2].SHA256 = llbtest.Sum("another numpy") })
	for name, key := range before {
		if app := strings.HasPrefix(name, "app "); (key == "") != app {
			t.Errorf("%s has the key %q", name, key)
		}
		if again[name] != key {
			t.Errorf("%s has another key in another session", name)
		}
		if changed := name == "wheels numpy 1.2.3"; (bumped[name] != key) != changed {
			t.Errorf("%s: key changed %t with another numpy", name, !changed)
		}
	}
}

// TestWhy: every layer of a plan says why it is one.
func TestWhy(t *testing.T) {
	want := map[string]string{
		"wheels numpy 1.2.3": "a wheel of 5.0 MB or more", "wheels secretsauce 1.2.3": "a wheel of unknown size",
		"wheels nvidia-cublas-cu12 1.2.3 (part 1 of 3)": "a wheel larger than 140.0 MB", "app the project's files": "changes most",
	}
	for _, l := range compile(t, nil).Plan.Layers {
		why := l.Why(llbtest.Budget)
		if why == "" || !strings.HasPrefix(why, want[string(l.Kind)+" "+l.Name]) {
			t.Errorf("%s %s: %q", l.Kind, l.Name, why)
		}
		delete(want, string(l.Kind)+" "+l.Name)
	}
	if len(want) > 0 {
		t.Errorf("not in the plan: %v", want)
	}
}
