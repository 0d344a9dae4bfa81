package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const site = "/opt/venv/lib/python3.11/site-packages"

// intoEnvironment has steps of each kind and rules of app.copy bring files into the environment, beside others.
func intoEnvironment(r *recipe.Recipe, in *Inputs) {
	withSteps(r, in)
	r.Build[0].Outputs = append(r.Build[0].Outputs, recipe.Output{From: "/src/k.so", To: site + "/lib/"})
	r.CopyFrom = append(r.CopyFrom, recipe.CopyFrom{Image: nodeRef, Output: recipe.Output{From: "/www", To: site + "/lib/www", Replace: true}})
	r.Bake[0].Outputs = append(r.Bake[0].Outputs, recipe.Output{From: site + "/dic", To: site + "/dic"})
	r.App.Copy = append(r.App.Copy, recipe.CopyRule{From: "web", Files: []string{"web"}, To: site + "/lib/web", Owner: "0:0"})
}

// TestEnvironmentLayers: files of the environment are layers of their own above the packages, held against the packages' files unless they replace them.
func TestEnvironmentLayers(t *testing.T) {
	var got []string
	for _, l := range compile(t, intoEnvironment).Plan.Layers {
		if l.Kind != layerplan.KindSystem && (l.Kind != layerplan.KindWheels || len(got) == 0 || got[len(got)-1] != "wheels") {
			got = append(got, strings.TrimSuffix(string(l.Kind)+" "+l.Name, map[bool]string{true: " " + l.Name}[l.Kind == layerplan.KindWheels]))
		}
	}
	want := []string{
		"run first", "account user app", "skeleton python environment, directories", "build lib", "build pages", "copy /src/doc from the build step lib", "wheels",
		"build lib in the environment", "copy /www from " + nodeRef, "run second", "bake model", "bake model in the environment", "app the project's files in the environment", "app the project's files", "run third",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
	g := compiled(t, intoEnvironment)
	for name, packages := range map[string]bool{"keep /src/k.so of": true, "keep /www of": false, "keep " + site + "/dic of": true, "keep " + site + "/lib/web of": true, "keep /src/lib*.so of": false} {
		v := g.Named(name)
		c := spec[step.Collection](t, v)
		if (len(c.Packages) > 0) != packages {
			t.Errorf("%s is held against %q", name, c.Packages)
		}
		for _, p := range c.Packages {
			if !slices.ContainsFunc(v.Op.GetExec().Mounts, func(m *pb.Mount) bool { return m.Dest == p }) {
				t.Errorf("%s: nothing lies at %s", name, p)
			}
		}
	}
	if c := spec[step.Collection](t, g.Named("keep "+site+"/lib/web of")); c.Files[0].UID != 0 || c.Dirs[len(c.Dirs)-1].UID != 0 {
		t.Errorf("the project's files: %+v", c)
	}
}

// TestNeededPackages: a bake step that names its packages does not change with others, nor with what steps make that see all.
func TestNeededPackages(t *testing.T) {
	with := func(needs []string, change func(in *Inputs)) llbtest.Graph {
		return compiled(t, func(r *recipe.Recipe, in *Inputs) {
			withSteps(r, in)
			r.Bake[0].Needs = needs
			in.Needs = map[string][]string{in.Wheels[0].Name: {in.Wheels[1].Name}}
			if change != nil {
				change(in)
			}
		})
	}
	var names []string
	compiled(t, func(_ *recipe.Recipe, in *Inputs) {
		for _, w := range in.Wheels {
			names = append(names, w.Name)
		}
	})
	key := func(g llbtest.Graph) string { return g.Named("] bake model").Digest }
	bump := func(i int) func(in *Inputs) { return func(in *Inputs) { in.Wheels[i].SHA256 = llbtest.Sum("newer") } }
	needs := []string{names[0]}
	before := key(with(needs, nil))
	for i, changes := range []bool{true, true, false, false} {
		if got := key(with(needs, bump(i))) != before; got != changes {
			t.Errorf("another %s changes the step: %t, want %t", names[i], got, changes)
		}
	}
	if none := with([]string{}, nil); key(none) == before || key(none) != key(with([]string{}, bump(0))) {
		t.Error("a step without packages sees some")
	}
	if key(with(nil, nil)) == key(with(nil, bump(2))) {
		t.Error("a step that names no packages does not see all")
	}
}
