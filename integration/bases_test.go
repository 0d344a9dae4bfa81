package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// onBase is a project whose base and packages are given, from an index that is a stand-in of PyTorch's too.
func onBase(t *testing.T, x *testbed.Index, base, packages string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		"main.py": "print('hello')\n",
		"mlbuild.yaml": "version: 1\nname: based\nbase: " + base + "\npytorch_index: " + x.URL + "/whl\n" +
			"python: {version: \"3.11\", packages: [" + packages + "], indexes: [{name: standin, url: \"" + x.URL + "/simple\", default: true}]}\n" +
			"app: {copy: [main.py], command: [python, main.py]}\n",
	})
}

// origin prints where modules come from.
const origin = "import sys, importlib\nfor m in sys.argv[1:]:\n  print(importlib.import_module(m).__file__)\n"

// documentedBases is the project of docs/bases.md.
func documentedBases(t *testing.T) *project {
	t.Helper()
	text, err := os.ReadFile("../docs/bases.md")
	if err != nil {
		t.Fatal(err)
	}
	_, yaml, ok := strings.Cut(string(text), "```yaml\n")
	yaml, _, _ = strings.Cut(yaml, "```")
	if !ok || !strings.Contains(yaml, "base: distroless") {
		t.Fatalf("docs/bases.md has another example:\n%s", yaml)
	}
	return newProject(t, map[string]string{"mlbuild.yaml": yaml, "main.py": "print('hello')\n"})
}

// TestCUDABase builds on nvidia/cuda, which has no Python: the one of an official image is laid over it, pinned in the lock as the base is.
func TestCUDABase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := documentedBases(t)
	ref := tb.Registry.Ref("bases-cuda:1.0")
	p.lock(b, "gpu", builder.LockOptions{})
	req := p.request(p.variant("gpu", ref))
	p.pin(b, &req)
	for _, image := range []string{"docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04", "docker.io/library/python:3.11-slim-bookworm"} {
		if !strings.Contains(string(req.BuildLock), `ref = "`+image+`"`) {
			t.Errorf("%s is not pinned:\n%s", image, req.BuildLock)
		}
	}
	mustBuild(t, b, req)
	got := readBack(t, tb.Registry, "bases-cuda:1.0")
	if !slices.ContainsFunc(layerHistory(got.config), func(h v1.History) bool {
		return h.CreatedBy == "mlbuild python: Python 3.11 of docker.io/library/python:3.11-slim-bookworm"
	}) {
		t.Error("no layer is the Python's")
	}
	const check = "import sys, ssl, sqlite3, ctypes, idna; print(sys.version_info[:2], sys.base_prefix, ssl.OPENSSL_VERSION_INFO[0])"
	if out := python(t, tb, ref, check); out != "(3, 11) /usr/local 3\n" {
		t.Errorf("the laid Python says %q", out)
	}
	if got.file("usr/local/cuda-12.6/version.json") == "" || !slices.Contains(got.config.Config.Env, "CUDA_VERSION=12.6.3") {
		t.Error("the base's CUDA is not there")
	}
	req.BuildLock = nil
	want{code: fault.LockStale, says: []string{"and --locked forbids"}}.check(t, p.attempt(b, req))
}

// TestCUDALibrariesOnce leaves out of the packages what the base has, counts it, and keeps what the base's version may not fit.
func TestCUDALibrariesOnce(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := onBase(t, x, "{kind: cuda, variant: cudnn-runtime}", "torch=="+testbed.TorchVersion)
	p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"prune: [cuda-libraries]\nprofiles: {gpu: {accelerator: {cuda: \"12.6\"}}}\n")
	p.lock(b, "gpu", builder.LockOptions{})
	res := mustBuild(t, b, p.request(p.variant("gpu", tb.Registry.Ref("cuda-once:1"))))
	if want := []builder.Pruned{{Rule: "cuda-libraries", Bytes: 50_000}}; !slices.Equal(res.Images[0].Pruned, want) {
		t.Errorf("left out: %+v, want %+v", res.Images[0].Pruned, want)
	}
	got := readBack(t, tb.Registry, "cuda-once:1")
	got.checkRecords()
	const site = "opt/venv/lib/python3.11/site-packages/nvidia/"
	for name, want := range map[string]bool{site + "cuda_runtime/lib/libcudart.so.12": false, site + "cuda_runtime/__init__.py": true, site + "cudnn/lib/libcudnn.so.9": true} {
		if _, there := got.tree[name]; there != want {
			t.Errorf("%s is there: %t", name, there)
		}
	}
}

// TestDistroless builds on an image without a shell: nothing is run on it.
func TestDistroless(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := documentedBases(t)
	p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"bytecode: true\n") // the Python that compiles comes from packages, which no dpkg installed
	ref := tb.Registry.Ref("bases-distroless:1.0")
	mustBuild(t, b, p.request(p.variant("cpu", ref)))
	got := readBack(t, tb.Registry, "bases-distroless:1.0")
	for name := range got.tree {
		if base := filepath.Base(name); strings.HasPrefix(name, "usr/bin/") && !strings.HasPrefix(base, "python") || base == "sh" {
			t.Errorf("the image has the program %s", name)
		}
	}
	if out := inImage(t, tb, ref); out != "hello\n" {
		t.Errorf("the image's command says %q", out)
	}
	if _, ok := got.tree["opt/venv/lib/python3.11/site-packages/idna/__pycache__/core.cpython-311.pyc"]; !ok {
		t.Error("idna is not compiled")
	}
	if out := python(t, tb, ref, "import idna, os; print(os.getuid(), idna.__file__)"); out != "1000 /opt/venv/lib/python3.11/site-packages/idna/__init__.py\n" {
		t.Errorf("the image's Python says %q", out)
	}
	runs := func(args ...string) (int, error) {
		return b.Exec(t.Context(), p.request(p.variant("cpu")), builder.Exec{Args: args, Open: func() (builder.Streams, error) { return builder.Streams{}, nil }})
	}
	if exit, err := runs("python", "-c", "import idna, sys; sys.exit(3)"); exit != 3 || err != nil {
		t.Errorf("a program in the daemon: exit code %d, %v", exit, err)
	}
	_, err := runs()
	if f := fault.All(err); !fault.Is(err, fault.Usage) || f[0].Message != "there is no shell: neither bash nor sh" || !slices.Contains(f[0].Hints, "name a program of the image: mlbuild exec -- python") {
		t.Errorf("a shell on the image: %v", err)
	}
}

// TestPyTorchBase: what the base has is not installed again, what it lacks is, and the lock's version wins where the project asks for another.
func TestPyTorchBase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	pure(x, "one", "1.0")
	x.AddWheel("simple", "colorama", "0.4.5", "py3-none-any", map[string]string{"colorama.py": "origin = 'index'\n"})
	x.AddWheel("simple", "colorama", "0.4.6", "py3-none-any", map[string]string{"colorama.py": "origin = 'index'\n"})
	x.AddWheel("simple", "wants-colorama", "1.0", "py3-none-any", map[string]string{"wants_colorama.py": "import colorama\n"}, wheeltest.Requires("colorama"))
	ref := tb.Registry.Ref("bases-pytorch:1.0")
	p := onBase(t, x, "pytorch", "torch=="+testbed.TorchVersion+", one, wants-colorama")
	p.lock(b, "gpu", builder.LockOptions{})
	req := p.request(p.variant("gpu", ref))
	p.pin(b, &req)
	plans, err := b.Plan(t.Context(), req, false)
	if err != nil {
		t.Fatal(err)
	}
	// Its torch does not say that it requires CUDA's libraries: what an index says of torch does not count.
	if got := strings.Join(namesAndVersions(plans[0].InBase), ", "); got != "colorama 0.4.5, torch 2.9.1+cu128" {
		t.Errorf("in the base: %s", got)
	}
	if !strings.Contains(string(req.BuildLock), "[[contents]]") || !strings.Contains(string(req.BuildLock), `"torch==2.9.1+cu128"`) {
		t.Errorf("mlbuild.lock does not say what the base has:\n%s", req.BuildLock)
	}
	mustBuild(t, b, req)
	const site, base = "/opt/venv/lib/python3.11/site-packages/", "/opt/conda/lib/python3.11/site-packages/"
	if out := python(t, tb, ref, origin, "torch", "one", "colorama"); out != base+"torch/__init__.py\n"+site+"one/__init__.py\n"+base+"colorama.py\n" {
		t.Errorf("modules come from\n%s", out)
	}
	got := readBack(t, tb.Registry, "bases-pytorch:1.0")
	if slices.ContainsFunc(slices.Collect(maps.Keys(got.tree)), func(n string) bool { return strings.HasPrefix(n, "opt/venv/lib/python3.11/site-packages/torch") }) {
		t.Error("torch is there twice")
	}

	newer := onBase(t, x, "pytorch", "torch=="+testbed.TorchVersion+", colorama>=0.4.6")
	res := mustBuild(t, b, newer.request(newer.variant("gpu", ref)))
	if !slices.Contains(res.Images[0].Notes, "the base has colorama 0.4.5, the image gets 0.4.6 of the lock, which wins") {
		t.Errorf("notes %q", res.Images[0].Notes)
	}
	if out := python(t, tb, ref, "import colorama, torch; print(colorama.origin, torch.version)"); out != "index of the base\n" {
		t.Errorf("the newer project has %q", out)
	}
}

// TestTensorFlowBase: the framework is found under another name and where Debian keeps packages.
func TestTensorFlowBase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	pure(x, "one", "1.0")
	x.AddWheel("simple", "tensorflow", "2.20.0", "cp311-cp311-manylinux_2_17_x86_64", map[string]string{"tensorflow/__init__.py": "origin = 'index'\n"})
	p := onBase(t, x, "tensorflow", "tensorflow==2.20.0, one")
	ref := tb.Registry.Ref("bases-tensorflow:1.0")
	mustBuild(t, b, p.request(p.variant("cpu", ref)))
	if out := python(t, tb, ref, "import one, tensorflow; print(tensorflow.origin, tensorflow.__file__)"); out != "base /usr/local/lib/python3.11/dist-packages/tensorflow/__init__.py\n" {
		t.Errorf("the image has %q", out)
	}
}

// TestBasesThatDoNotFit are found before anything is built.
func TestBasesThatDoNotFit(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for _, test := range []struct {
		name, base, python string
		want               want
	}{
		{"without Python", "nvidia/cuda:12.6.3-base-ubuntu24.04", "3.11", want{code: fault.Spec, says: []string{"the base docker.io/nvidia/cuda:12.6.3-base-ubuntu24.04 has no Python"}, hints: []string{"lay one over it"}}},
		{"with another Python", "pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime", "3.12", want{code: fault.Spec,
			says: []string{"has no Python 3.12, which the project wants (mlbuild.yaml); it has 3.11 at /opt/conda/bin/python3.11"}, hints: []string{`python: {version: "3.11"}`}}},
		{"with another glibc", "{image: \"library/python:3.11-slim-bookworm\", glibc: \"2.17\"}", "3.11", want{code: fault.ABI, says: []string{"glibc"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x.AddWheel("simple", "newer", "1.0", "cp311-cp311-manylinux_2_28_x86_64", map[string]string{"newer.py": ""})
			p := onBase(t, x, test.base, "newer")
			p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "version: \"3.11\"", "version: \""+test.python+"\"", 1))
			test.want.check(t, p.attempt(b, p.quiet(p.variant("cpu"))))
		})
	}
}

// TestImageOnImage builds on an image that mlbuild made: its packages are not installed again, a newer one takes the place of an older one with no file left of that, and the base's
// layers stay as they are.
func TestImageOnImage(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	pure(x, "stays", "1.0")
	x.AddWheel("simple", "moves", "1.0", pureTag, map[string]string{"moves/__init__.py": "version = 1\n", "moves/old.py": "", "moves-1.0.dist-info/entry_points.txt": "[console_scripts]\nmoves = moves:main\n"})
	x.AddWheel("simple", "moves", "2.0", pureTag, map[string]string{"moves/__init__.py": "version = 2\n"})
	x.AddWheel("simple", "wants-both", "1.0", pureTag, map[string]string{"wants_both.py": ""}, wheeltest.Requires("moves>=2", "stays"))
	lower, upper := tb.Registry.Ref("stack-lower:1"), tb.Registry.Ref("stack-upper:1")
	p := onBase(t, x, "python:3.11-slim", "stays, moves==1.0")
	mustBuild(t, b, p.request(p.variant("cpu", lower)))
	below := readBack(t, tb.Registry, "stack-lower:1")
	below.file("opt/venv/lib/python3.11/site-packages/moves/old.py")
	below.file("opt/venv/bin/moves")

	p = onBase(t, x, lower, "wants-both")
	p.lock(b, "cpu", builder.LockOptions{})
	req := p.request(p.variant("cpu", upper))
	p.pin(b, &req)
	res := mustBuild(t, b, req)
	if !slices.Contains(res.Images[0].Notes, "the base has moves 1.0, the image gets 2.0 of the lock, which wins") {
		t.Errorf("notes %q", res.Images[0].Notes)
	}
	got := readBack(t, tb.Registry, "stack-upper:1")
	for i, l := range below.manifest.Layers {
		if got.manifest.Layers[i].Digest != l.Digest {
			t.Errorf("layer %d of the base is another", i)
		}
	}
	const list = "import importlib.metadata as m, moves; print(sorted(d.name + ' ' + d.version for d in m.distributions()), moves.version)"
	if out := python(t, tb, upper, list); out != "['moves 2.0', 'stays 1.0', 'wants-both 1.0'] 2\n" {
		t.Errorf("the image has %s", out)
	}
	if out := inImage(t, tb, upper, "sh", "-c", "ls /opt/venv/bin /opt/venv/lib/python3.11/site-packages/moves"); strings.Contains(out, "old.py") || strings.Contains(out, "\nmoves\n") {
		t.Errorf("files of the older version are there:\n%s", out)
	}
	req.NoCache, req.NoOwnCache, req.State, req.TrustKeys = ops.NoCacheAll, true, "", nil
	time.Sleep(time.Second) // layers have times in seconds
	if again := mustBuild(t, b, req); again.Images[0].Digest != res.Images[0].Digest {
		t.Errorf("built anew it is %s, before %s", again.Images[0].Digest, res.Images[0].Digest)
	}
}

// TestBuildSeesTheBase: a package that is compiled against torch is compiled against the base's, which is on no index.
func TestBuildSeesTheBase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := onBase(t, x, "pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime", "torch>=2, ./kernels")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "packages: [", "build: {kernels: {isolation: false, requires: [torch]}}, packages: [", 1))
	p.write("kernels/pyproject.toml", "[build-system]\nrequires = [\"torch\"]\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"kernels\"\nversion = \"1.0\"\n")
	p.write("kernels/backend.py", `import zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    import torch
    name, info = "kernels-1.0-py3-none-any.whl", "kernels-1.0.dist-info/"
    with zipfile.ZipFile(directory + "/" + name, "w") as z:
        z.writestr("kernels.py", "built = %r\n" % torch.version)
        z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: kernels\nVersion: 1.0\n")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", "")
    return name
`)
	ref := tb.Registry.Ref("bases-kernels:1.0")
	mustBuild(t, b, p.request(p.variant("gpu", ref)))
	if out := python(t, tb, ref, "import kernels, torch; print(kernels.built, torch.__file__)"); out != "of the base /opt/conda/lib/python3.11/site-packages/torch/__init__.py\n" {
		t.Errorf("the image has %q", out)
	}
}

// TestPythonOfTheDistribution builds on a base without a Python, with the one that its distribution has as a package: it runs the image, and compiles the app.
func TestPythonOfTheDistribution(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	base, ref := tb.Registry.Ref("bare/debian:12"), tb.Registry.Ref("bases-own:1.0")
	const bare = "dpkg --force-depends --purge $(dpkg-query -W -f '${Package} ' '*python3*')\nrm -f /usr/local/bin/*\n"
	if err := tb.Daemon.PushRun(t.Context(), "docker.io/library/python:3.11-slim", bare, base); err != nil {
		t.Fatal(err)
	}
	p := newProject(t, map[string]string{
		"main.py": "import sys, ssl, sqlite3, idna\nprint(sys.version_info[:2], sys.base_prefix, idna.__version__)\n",
		"mlbuild.yaml": "version: 1\nname: own\nbase: {image: \"" + base + "\", python: distribution}\npython: {version: \"3.11\", packages: [idna==3.10]}\nbytecode: true\n" +
			"app: {copy: [main.py], command: [python, main.py]}\n",
	})
	p.mustLockSystem(b, builder.LockOptions{})
	p.lock(b, "cpu", builder.LockOptions{})
	req := p.request(p.variant("cpu", ref))
	req.BuildLock = []byte(p.read("mlbuild.lock"))
	mustBuild(t, b, req)
	if out := inImage(t, tb, ref); out != "(3, 11) /usr 3.10\n" {
		t.Errorf("the image's command says %q", out)
	}
	if got := readBack(t, tb.Registry, "bases-own:1.0"); got.tree["var/lib/dpkg/status.d/python3.11"].Name == "" || got.tree["usr/local/bin/python3.11"].Name != "" {
		t.Error("the Python is not the distribution's")
	}
}
