package llb

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const nodeRef = "docker.io/library/node:22"

// withSteps adds to the recipe a step of every kind.
func withSteps(r *recipe.Recipe, in *Inputs) {
	r.Build = []recipe.BuildStep{
		{Name: "lib", Source: &recipe.Source{Git: "https://git.example/lib.git", Commit: strings.Repeat("a", 40), Secret: "deploy"},
			Script:  recipe.Script{Commands: []string{"make"}, Caches: []string{"/root/.ccache"}, Timeout: 60},
			Outputs: []recipe.Output{{From: "/src/lib*.so", To: "/opt/lib/", Mode: "0755"}}},
		{Name: "pages", Image: nodeRef, Source: &recipe.Source{URL: "https://files.example/web.tar.gz?x", SHA256: llbtest.Sum("web")},
			Script: recipe.Script{Commands: []string{"npm ci"}, Network: true}, Outputs: []recipe.Output{{From: "/src/dist", To: "/app/static"}}},
	}
	r.LibraryPath = []string{"/opt/lib"}
	r.CopyFrom = []recipe.CopyFrom{{Step: "lib", Output: recipe.Output{From: "/src/doc", To: "/opt/doc"}}}
	r.Bake = []recipe.Bake{{Name: "model", Script: recipe.Script{
		Commands: []string{"python make.py"}, Env: []recipe.Pair{{Name: "LANG", Value: "C"}},
		Secrets: []recipe.StepSecret{{ID: "hub", Env: "HF_TOKEN"}, {ID: "hub", File: "/run/secrets/hub"}}, SSH: true,
	}, Inputs: []recipe.CopyRule{{From: "make.py", Files: []string{"make.py"}, To: "/app/"}}, Outputs: []recipe.Output{{From: "/app/models", To: "/app/models"}}}}
	r.Run = []recipe.Hook{
		{Name: "first", After: "system", Script: recipe.Script{Commands: []string{"useradd x"}}},
		{Name: "second", After: "packages", Script: recipe.Script{Commands: []string{"true"}}},
		{Name: "third", After: "app", User: true, Script: recipe.Script{Commands: []string{"true"}}},
	}
	in.Images = map[string]ops.Base{nodeRef: llbtest.Base(llbtest.OtherRef, 2)}
	in.Helpers.StepTarget, in.Helpers.StepWorker = "sha256:"+llbtest.Sum("steps"), "sha256:"+llbtest.Sum("own steps")
}

func TestStepLayers(t *testing.T) {
	var got []string
	for _, l := range compile(t, withSteps).Plan.Layers {
		if kind := string(l.Kind); len(got) == 0 || got[len(got)-1] != "wheels" || kind != "wheels" {
			if kind != "wheels" && kind != "system" {
				kind += " " + l.Name
			}
			got = append(got, kind)
		}
		if runs := l.Kind == layerplan.KindRun || l.Kind == layerplan.KindBake || l.Kind == layerplan.KindBuild; runs != (l.Runs != "") {
			t.Errorf("%s %s says that it runs %q", l.Kind, l.Name, l.Runs)
		}
	}
	want := []string{
		"system", "run first", "account user app", "skeleton python environment, directories", "build lib", "build pages", "copy /src/doc from the build step lib",
		"system", "wheels", "run second", "bake model", "app the project's files", "run third",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
}

// spec returns what mlbuild-step is told in a vertex.
func spec[T any](t *testing.T, v llbtest.Vertex) (s T) {
	t.Helper()
	args := v.Op.GetExec().GetMeta().GetArgs()
	if err := json.Unmarshal([]byte(args[len(args)-1]), &s); err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	return s
}

// TestStepOps: each step has what it declares and nothing else.
func TestStepOps(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) { withSteps(r, in); in.Network = ops.Network{CA: true} })
	lib, pages, model := g.Named("build lib").Op.GetExec(), g.Named("build pages").Op.GetExec(), g.Named("] bake model").Op.GetExec()
	if lib.Network != pb.NetMode_NONE || pages.Network != pb.NetMode_UNSET || model.Network != pb.NetMode_NONE {
		t.Errorf("network: %s, %s, %s", lib.Network, pages.Network, model.Network)
	}
	for _, m := range slices.Concat(lib.Mounts, model.Mounts) {
		if m.GetSecretOpt().GetID() == ops.CASecret {
			t.Error("a step without network has the CA")
		}
	}
	if lib.Meta.User != "0:0" || lib.Meta.Cwd != "/src" || model.Meta.User != "1000:1000" || model.Meta.Cwd != "/app" {
		t.Errorf("%s in %s, %s in %s", lib.Meta.User, lib.Meta.Cwd, model.Meta.User, model.Meta.Cwd)
	}
	for _, want := range []string{"LD_LIBRARY_PATH=/opt/lib", "LANG=C", "HOME=/home/app", "VIRTUAL_ENV=/opt/venv", "OMP_NUM_THREADS=4"} {
		if !slices.Contains(model.Meta.Env, want) {
			t.Errorf("the bake step lacks %s: %q", want, model.Meta.Env)
		}
	}
	if run := spec[step.Run](t, g.Named("build lib")); run.Timeout != 60 || run.Settle != nil || len(run.Secrets) != 0 {
		t.Errorf("the build step is told %+v", run)
	}
	cache := slices.IndexFunc(lib.Mounts, func(m *pb.Mount) bool { return m.Dest == "/root/.ccache" })
	if cache < 0 || lib.Mounts[cache].GetCacheOpt().GetID() != "mlbuild/step/sentiment/build/lib/amd64/root/.ccache" || lib.Mounts[cache].CacheOpt.Sharing != pb.CacheSharingOpt_LOCKED {
		t.Errorf("mounts %v", lib.Mounts)
	}
	if len(model.Secretenv) != 1 || model.Secretenv[0].Name != "HF_TOKEN" || model.Secretenv[0].ID != "hub" {
		t.Errorf("variables with secrets: %v", model.Secretenv)
	}
	var secrets []string
	for _, m := range model.Mounts {
		if o := m.GetSecretOpt(); o != nil {
			secrets = append(secrets, m.Dest+" of "+o.ID)
		}
	}
	slices.Sort(secrets)
	if d := cmp.Diff([]string{"/run/mlbuild/secrets/hub of hub", "/run/secrets/hub of hub"}, secrets); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
	for _, name := range []string{"keep /app/models", "] run first"} {
		if name == "keep /app/models" {
			if c := spec[step.Collection](t, g.Named(name)); len(c.Secrets) != 1 || c.Secrets[0].ID != "hub" {
				t.Errorf("the outputs are searched for %v", c.Secrets)
			}
		} else if r := spec[step.Run](t, g.Named(name)); r.Settle == nil || r.Settle.Root != "/" || !slices.Contains(r.Settle.Drop, "/var/log") {
			t.Errorf("the hook is told %+v", r)
		}
	}
	git := g.Named("git.example").Op.GetSource()
	if git.Attrs[pb.AttrGitChecksum] != strings.Repeat("a", 40) || git.Attrs[pb.AttrAuthHeaderSecret] != "mlbuild-source-deploy" {
		t.Errorf("%s %v", git.Identifier, git.Attrs)
	}
}

// TestStepKeys: what a step does not read changes nothing for it, and the image runs nothing that another project would not.
func TestStepKeys(t *testing.T) {
	before := compiled(t, withSteps)
	keys := func(g llbtest.Graph, name string) string { t.Helper(); return g.Named(name).Digest }
	edited := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		withSteps(r, in)
		r.App.Copy[0].Files = []string{"main.py"}
	})
	for _, name := range []string{"build lib", "build pages", "keep /src/lib*.so", "] bake model", "keep /app/models", "] run first", "] run second"} {
		if keys(before, name) != keys(edited, name) {
			t.Errorf("an edit of the app changes %q", name)
		}
	}
	if keys(before, "] run third") == keys(edited, "] run third") {
		t.Error("a hook after the app does not see its edit")
	}
	bumped := compiled(t, func(r *recipe.Recipe, in *Inputs) { withSteps(r, in); in.Wheels[0].SHA256 = llbtest.Sum("newer") })
	if keys(before, "build lib") != keys(bumped, "build lib") || keys(before, "] run first") != keys(bumped, "] run first") {
		t.Error("another wheel changes a build step or a hook before the packages")
	}
	if keys(before, "] bake model") == keys(bumped, "] bake model") {
		t.Error("the bake step does not see another wheel")
	}
	for _, v := range before.All {
		for _, in := range v.Op.Inputs {
			if in.Digest == before.Output {
				t.Errorf("%s has the published image as its input", v.Name)
			}
		}
	}
	plain := compiled(t, nil).WheelSteps()
	for name, key := range before.WheelSteps() {
		if plain[name] != key {
			t.Errorf("the steps of the project change the layer of %s", name)
		}
	}
}

func TestLibraryPath(t *testing.T) {
	for _, c := range []struct {
		base []string
		own  string
		want string
	}{
		{nil, "", "/opt/a:/opt/b"}, {[]string{"LD_LIBRARY_PATH=/usr/local/nvidia/lib"}, "", "/opt/a:/opt/b:/usr/local/nvidia/lib"},
		{[]string{"LD_LIBRARY_PATH=/x"}, "/mine", "/opt/a:/opt/b:/mine"},
	} {
		var env []recipe.Pair
		if c.own != "" {
			env = []recipe.Pair{{Name: "LD_LIBRARY_PATH", Value: c.own}}
		}
		if got := mergeEnv(c.base, withLibraries(env, []string{"/opt/a", "/opt/b"}, c.base)); !slices.Contains(got, "LD_LIBRARY_PATH="+c.want) {
			t.Errorf("%q over %q: %q", c.own, c.base, got)
		}
	}
}

// TestPipOfAStep: the pip that a step finds is the base's, and installs where the app runs; what a package of the project brings does that by itself, and before there is an environment
// nothing can.
func TestPipOfAStep(t *testing.T) {
	defaults := func(after recipe.HookPoint, command string, more ...pylock.Wheel) string {
		g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
			withSteps(r, in)
			r.Run = []recipe.Hook{{Name: "tools", After: after, Script: recipe.Script{Commands: []string{command}, Network: true}}}
			in.Wheels = append(more, in.Wheels...)
		})
		for _, kv := range g.Named("run tools").Op.GetExec().GetMeta().GetEnv() {
			if strings.HasPrefix(kv, "PIP_PYTHON=") {
				return kv
			}
		}
		return ""
	}
	if got := defaults(recipe.AfterPackages, "pip install --break-system-packages six==1.16.0"); got != "PIP_PYTHON=/opt/venv/bin/python" {
		t.Errorf("the step is told %s", got)
	}
	pip := pylock.Wheel{Name: "pip", Version: "25.0", Filename: "pip-25.0-py3-none-any.whl", URL: "https://files.example/pip-25.0-py3-none-any.whl", SHA256: llbtest.Sum("pip")}
	for name, got := range map[string]string{
		"a step without pip": defaults(recipe.AfterPackages, "echo six"), "a step with the project's pip": defaults(recipe.AfterPackages, "pip install six", pip),
		"a step before the packages": defaults(recipe.AfterSystem, "pip install six"),
	} {
		if got != "" {
			t.Errorf("%s is told %s", name, got)
		}
	}
}
