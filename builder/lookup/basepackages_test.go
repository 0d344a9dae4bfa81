package lookup

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

const (
	ngcSite  = "/usr/local/lib/python3.11/dist-packages"
	venvSite = "/opt/venv/lib/python3.11/site-packages"
)

// ngc is a base whose torch is on no index, and whose other packages are not all as it wants them.
func ngc() map[string]string {
	return map[string]string{
		"/usr/bin/python3.11": "",
		ngcSite + "/torch-2.3.0a0+ebedce2.dist-info/METADATA": "Name: torch\nVersion: 2.3.0a0+ebedce2\nRequires-Dist: numpy<2\nRequires-Dist: sympy>=2\n",
		ngcSite + "/numpy-1.26.4.dist-info/METADATA":          "Name: numpy\nVersion: 1.26.4\n",
		ngcSite + "/sympy-1.12-py3.11.egg-info/PKG-INFO":      "Name: sympy\nVersion: 1.12\n",
		ngcSite + "/pip-24.0.dist-info/METADATA":              "Name: pip\nVersion: 24.0\n",
		"/usr/lib/python3/dist-packages/numpy-1.0.egg-info":   "Name: numpy\nVersion: 1.0\n",
	}
}

// TestFrameworksOfABaseCount: whose base has a framework wants it; whose base has only what a distribution's own tools need does not, and the project's word counts more than both.
func TestFrameworksOfABaseCount(t *testing.T) {
	tools := map[string]string{"/usr/bin/python3.11": "", ngcSite + "/numpy-1.26.4.dist-info/METADATA": ""}
	for _, test := range []struct {
		yaml  string
		files map[string]string
		want  string
	}{
		{anyBase, ngc(), "numpy 1.26.4, pip 24.0, sympy 1.12, torch 2.3.0a0+ebedce2"},
		{"base: {image: \"registry.example/ml:7\", packages: false}\n", ngc(), ""},
		{anyBase, tools, ""},
		{"base: {image: \"registry.example/ml:7\", packages: true}\n", tools, "numpy 1.26.4"},
	} {
		found, _, err := looked(t, test.yaml, "/usr/bin", test.files)
		if got := textOf(found.Packages); err != nil || got != test.want || found.Shared != (test.want != "") || found.Environment != nil {
			t.Errorf("%s: %+v, %v, want %s", test.yaml, found, err, test.want)
		}
	}
}

func textOf(all []compat.Package) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, p.Name+" "+p.Version)
	}
	return strings.Join(texts, ", ")
}

// TestEnvironmentOfABase: an image that mlbuild made has its packages where those of the next image go. They count, whatever the base's Python has, and mlbuild.lock keeps them.
func TestEnvironmentOfABase(t *testing.T) {
	files := ngc()
	files["/opt/venv/pyvenv.cfg"] = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n"
	files["/opt/venv/bin/python3.11"] = "->python"
	files["/opt/venv/bin/python"] = "->/usr/bin/python3.11"
	files[venvSite+"/idna-3.7.dist-info/METADATA"] = "Name: idna\nVersion: 3.7\n"
	files[venvSite+"/numpy-2.0.0.dist-info/METADATA"] = "Name: numpy\nVersion: 2.0.0\n"
	for _, yaml := range []string{anyBase, "base: {image: \"registry.example/ml:7\", interpreter: /usr/bin/python3.11}\n"} {
		found, asked, err := looked(t, yaml, "/opt/venv/bin:/usr/bin", files)
		if err != nil || asked != 1 || found.Interpreter != "/usr/bin/python3.11" || textOf(found.Packages) != "idna 3.7, numpy 2.0.0" || textOf(found.Environment) != "idna 3.7, numpy 2.0.0" || found.Shared {
			t.Errorf("%s: %+v after %d questions, %v", yaml, found, asked, err)
		}
	}
	files["/opt/venv/pyvenv.cfg"] = "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.11.2\n"
	found, _, err := looked(t, anyBase, "/opt/venv/bin:/usr/bin", files)
	if err != nil || textOf(found.Packages) != "idna 3.7, numpy 2.0.0, pip 24.0, sympy 1.12, torch 2.3.0a0+ebedce2" || !found.Shared {
		t.Errorf("an environment that sees the Python's packages: %+v, %v", found, err)
	}
	files["/opt/venv/pyvenv.cfg"] = "home = /usr/bin\nversion_info = 3.10.4\n"
	_, _, err = looked(t, anyBase, "/opt/venv/bin:/usr/bin", files)
	buildertest.Expect(t, err, fault.Spec, false, "the base registry.example/ml:7 has an environment in /opt/venv of Python 3.10, the project wants 3.11 (default)", `python: {version: "3.10"}`)
}

// TestLockedEnvironment: a lock that was written before anybody looked for an environment is not believed, one with an empty environment is.
func TestLockedEnvironment(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n"+anyBase)
	base := ops.Base{Ref: "registry.example/ml:7@sha256:" + buildertest.Zeros}
	base.Config.Config.Env = []string{"VIRTUAL_ENV=/opt/venv"}
	lock := &buildlock.Lock{}
	seen := &buildlock.Contents{Image: r.Base.Ref, Digest: "sha256:" + buildertest.Zeros, Platform: r.Platform, Python: "3.11", Interpreter: "/usr/bin/python3.11"}
	lock.PutContents("cpu", r.Platform, seen)
	if got := locked(r, base, lock); got != nil {
		t.Errorf("an older lock says %+v", got)
	}
	seen.Environment, seen.Shared = []string{}, true
	lock.PutContents("cpu", r.Platform, seen)
	again, err := buildlock.Parse(buildlock.FileName, lock.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got := locked(r, base, again); got == nil || got.Environment == nil || !got.Shared {
		t.Errorf("a lock says %+v", got)
	}
}

// TestBaseIsInstalled: what the base has is told to uv and taken from there, though no index has it; the lock says which version it counts on.
func TestBaseIsInstalled(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [torch, idna]}\n"+anyBase)
	files := ngc()
	var asked []string
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
		switch {
		case strings.Contains(def, "pip compile"):
			asked = append(asked, def)
			text := buildertest.LockText("idna 3.20", "torch 2.3.0a0+ebedce2")
			return map[string]string{
				query.ResolvedLock: strings.ReplaceAll(text, "https://files.example/torch", "file:///src/base/torch"), query.ResolvedVia: "",
			}, nil
		case strings.Contains(def, "inspect"):
			return buildertest.Resolved(""), nil
		}
		return files, nil
	}}
	b := Bases{Daemon: asking(t, gw)}
	base, err := b.Find(t.Context(), r, false, true)
	if err != nil {
		t.Fatal(err)
	}
	installed, err := b.Installed(t.Context(), r, base.Image, base.Contents)
	want := []query.Installed{
		{Name: "numpy", Version: "1.26.4"}, {Name: "pip", Version: "24.0"}, {Name: "sympy", Version: "1.12"},
		{Name: "torch", Version: "2.3.0a0+ebedce2", Requires: []string{"numpy<2", "sympy>=2"}},
	}
	if d := cmp.Diff(want, installed); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	_, lock, err := UV{Daemon: asking(t, gw), Bases: b}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{r.Platform}, InBase: installed})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], "/base/torch-2.3.0a0+ebedce2-py3-none-any.whl") || strings.Contains(asked[0], "[tool.uv.sources.torch]") {
		t.Errorf("uv is asked %d times, %v", len(asked), asked)
	}
	if d := cmp.Diff([]string{"torch==2.3.0a0+ebedce2"}, lock.Tool.Base); d != "" || len(lock.Packages) != 1 {
		t.Errorf("the lock counts on %v, and has %d packages", lock.Tool.Base, len(lock.Packages))
	}
	c, err := Choose(r, lock, "2.36", base.Contents)
	if err != nil || namesOf(c.Wheels) != "idna" || len(c.Spared) != 1 || c.Spared[0].Label() != "torch 2.3.0a0+ebedce2" {
		t.Errorf("wheels %v, in the base %v, %v", c.Wheels, c.Spared, err)
	}
	if !strings.Contains(Constraints(lock), "torch==2.3.0a0+ebedce2\n") {
		t.Errorf("a stage is held to\n%s", Constraints(lock))
	}
	base.Contents.Packages = []compat.Package{{Name: "torch", Version: "2.4.0a0"}}
	_, err = Choose(r, lock, "2.36", base.Contents)
	buildertest.Expect(t, err, fault.LockStale, false, "the lock counts on torch 2.3.0a0+ebedce2 of the base registry.example/ml:7, which does not have it", "mlbuild lock --profile cpu")
}

// TestAnotherThanTheBases: where the project wants another version, it comes from the index that the package is bound to.
func TestAnotherThanTheBases(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [\"torch>=2.4\"]}\n"+anyBase)
	var bound []bool
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
		if isInspection(def) {
			return buildertest.Resolved(""), nil
		}
		bound = append(bound, strings.Contains(def, "[tool.uv.sources.torch]"))
		if bound[len(bound)-1] {
			return buildertest.Resolved("", "torch 2.9.1+cpu"), nil
		}
		return buildertest.Resolved("", "torch 2.9.1"), nil
	}}
	base := []query.Installed{{Name: "torch", Version: "2.3.0a0+ebedce2"}}
	_, lock, err := UV{Daemon: asking(t, gw)}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{r.Platform}, InBase: base, Upgrade: []string{"torch", "idna"}})
	if err != nil || len(bound) != 2 || bound[0] || !bound[1] || lock.Packages[0].Version != "2.9.1+cpu" || lock.Tool.Base != nil {
		t.Fatalf("bound %v, %+v, %v", bound, lock, err)
	}
	contents := Contents{Packages: []compat.Package{{Name: "torch", Version: "2.3.0a0+ebedce2"}}}
	c, err := Choose(r, lock, "2.36", contents)
	if err != nil || len(c.Wheels) != 1 || len(c.BaseNotes) != 1 || c.BaseNotes[0] != "the base has torch 2.3.0a0+ebedce2, the image gets 2.9.1+cpu of the lock, which wins" {
		t.Errorf("%v, notes %q, %v", c.Wheels, c.BaseNotes, err)
	}
}

// TestPinsOfTheBase: a resolution that fails for what the base has says so.
func TestPinsOfTheBase(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [\"acme>=4\"]}\n"+anyBase)
	err := fault.New(fault.Resolve, "Because only acme==3.1 is available and my-torch depends on acme>=4, …")
	got := fromBase(err, r, []query.Installed{{Name: "acme", Version: "3.1"}, {Name: "torch", Version: "2.3.0a0"}})
	buildertest.Expect(t, got, fault.Resolve, false, "acme 3.1 is what the base registry.example/ml:7 has")
	if len(fault.All(got)[0].Hints) != 1 {
		t.Errorf("hints %q", fault.All(got)[0].Hints)
	}
	other := fromBase(fault.New(fault.Index, "acme"), r, []query.Installed{{Name: "acme", Version: "3.1"}})
	if len(fault.All(other)[0].Hints) != 0 || fromBase(nil, r, nil) != nil {
		t.Error("another fault gets the hint")
	}
	if lock := (&pylock.Lock{}); Constraints(lock) != "" {
		t.Error("an empty lock holds something")
	}
}

// TestCUDAOfABase: a base says by a variable or by its toolkit which CUDA it has, and whether the compiler is there.
func TestCUDAOfABase(t *testing.T) {
	const toolkit = `{"cuda" : {"name" : "CUDA SDK", "version" : "12.4.20240405"}, "cuda_cudart": {"version": "12.4.99"}}`
	files := map[string]string{"/usr/bin/python3.11": "", "/usr/local/cuda/version.json": toolkit, "/usr/local/cuda/bin/nvcc": ""}
	found, _, err := looked(t, anyBase, "/usr/bin", files)
	if err != nil || found.CUDA != "12.4.20240405" || !found.NVCC {
		t.Errorf("%+v, %v", found, err)
	}
	delete(files, "/usr/local/cuda/bin/nvcc")
	found, _, err = looked(t, anyBase, "/usr/bin", files)
	if err != nil || found.NVCC {
		t.Errorf("without a compiler %+v, %v", found, err)
	}
	if found, _, err = looked(t, anyBase, "/usr/bin", ngc()); err != nil || found.CUDA != "" || found.NVCC {
		t.Errorf("without CUDA %+v, %v", found, err)
	}
}

// TestNoSecondToolkit: where the base has the compiler of this CUDA, no devel image is looked up; for another major one is.
func TestNoSecondToolkit(t *testing.T) {
	r := buildertest.Recipe(t, "gpu", "python: {packages: [torch, kernels], build: {kernels: {cuda: true}}}\n"+anyBase)
	wheels := []pylock.Wheel{{Name: "kernels", Version: "1", Source: &pylock.Source{Type: pylock.Archive, URL: "https://files.example/kernels-1.tar.gz", Name: "kernels-1.tar.gz", SHA256: buildertest.Zeros}}}
	for _, test := range []struct {
		cuda, packages string
		own            bool
	}{{"12.4.1", "12.8", true}, {"12.4.1", "", true}, {"11.8", "12.8", false}, {"", "12.8", false}} {
		var asked []string
		gw := &buildertest.Gateway{OnLookup: func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
			asked = append(asked, op.Identifier)
			return buildertest.AnImage(op)
		}}
		base := Base{Contents: Contents{CUDA: test.cuda, NVCC: test.cuda != "", Shared: true, Interpreter: "/usr/bin/python3.11", Packages: []compat.Package{{Name: "pip", Version: "24"}, {Name: "torch", Version: "2.3.0a0"}}}}
		got, err := Sources{Daemon: asking(t, gw), Platforms: []string{"linux/amd64"}}.Find(t.Context(), r, base, Packages{Runtime: Choice{Wheels: wheels, CUDA: test.packages}})
		devel := strings.Contains(strings.Join(asked, " "), "devel")
		if err != nil || got.OwnCUDA != test.own || devel == test.own {
			t.Errorf("base %q, packages %q: %+v, asked %q, %v", test.cuda, test.packages, got, asked, err)
		}
		if len(got.InBase) != 1 || got.InBase[0].Name != "torch" || !slices.Contains(got.BaseDirs, ngcSite) {
			t.Errorf("builds see %v in %v", got.InBase, got.BaseDirs)
		}
	}
}

// TestLockKnowsTheBase: with mlbuild.lock a build asks the daemon nothing of what lies in a base with an environment.
func TestLockKnowsTheBase(t *testing.T) {
	files := ngc()
	files["/opt/venv/pyvenv.cfg"] = "home = /usr/bin\nversion = 3.11\n"
	files[venvSite+"/idna-3.7.dist-info/METADATA"] = "Name: idna\nVersion: 3.7\n"
	asked := 0
	gw := &buildertest.Gateway{
		OnLookup: func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
			m, err := buildertest.AnImage(op)
			m.Image.Config = []byte(strings.Replace(string(m.Image.Config), "PYTHON_VERSION=", "VIRTUAL_ENV=/opt/venv\", \"PYTHON_VERSION=", 1))
			return m, err
		},
		OnSolve: func(string) (map[string]string, error) { asked++; return files, nil },
	}
	r := buildertest.Recipe(t, "cpu", "python: {packages: [idna]}\n"+anyBase)
	b := Bases{Daemon: asking(t, gw)}
	first, err := b.Find(t.Context(), r, false, true)
	if err != nil || textOf(first.Contents.Environment) != "idna 3.7" {
		t.Fatalf("%+v, %v", first.Contents, err)
	}
	seen, err := b.ToLock(t.Context(), r, first.Image, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Lock = &buildlock.Lock{}
	b.Lock.PutContents(r.Profile, r.Platform, seen)
	asked = 0
	again, err := b.Find(t.Context(), r, false, true)
	if d := cmp.Diff(first.Contents, again.Contents); d != "" || err != nil || asked != 0 {
		t.Errorf("%d questions, %v (-want +got):\n%s", asked, err, d)
	}
}
