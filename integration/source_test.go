package integration

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

const cExtension = `#include <Python.h>
static PyObject *add(PyObject *self, PyObject *args) {
    long a, b;
    if (!PyArg_ParseTuple(args, "ll", &a, &b)) return NULL;
    return PyLong_FromLong(a + b + OFFSET);
}
static PyMethodDef methods[] = {{"add", add, METH_VARARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fastadd", NULL, -1, methods};
PyMODINIT_FUNC PyInit_fastadd(void) { return PyModule_Create(&module); }
`

// ofSources is a project with a package of every kind of source: a directory with a C extension, a git repository, and itself.
func ofSources(t *testing.T, g *testbed.GitServer) *project {
	t.Helper()
	commit := g.Commit("greet", map[string]string{
		"pyproject.toml":         "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"greet\"\nversion = \"1.4\"\n",
		"greet/__init__.py":      "def hello():\n    return 'hello from git'\n",
		"greet/data/words.txt":   "words\n",
		"tests/test_nothing.txt": "",
	})
	return newProject(t, map[string]string{
		"requirements.txt":          fmt.Sprintf("./libs/fastadd\ngreet @ git+%s@%s\n", g.Repo("greet"), commit),
		"libs/fastadd/setup.py":     "from setuptools import Extension, setup\nsetup(name='fastadd', version='2.0-dev', ext_modules=[Extension('fastadd', ['fastadd.c'], define_macros=[('OFFSET', '0')])])\n",
		"libs/fastadd/fastadd.c":    cExtension,
		"pyproject.toml":            "[build-system]\nrequires = [\"setuptools\", \"setuptools-scm\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"own\"\ndynamic = [\"version\"]\n[project.scripts]\nown = \"own:main\"\n[tool.setuptools_scm]\n",
		"src/own/__init__.py":       "import fastadd, greet\ndef main():\n    print(greet.hello(), fastadd.add(20, 22))\n",
		"mlbuild.yaml":              "version: 1\nname: sources\npython: {requirements: [requirements.txt], project: ., install: true, build: {fastadd: {env: {LDFLAGS: \"-Wl,--as-needed\"}}}}\nsystem: {build: [g++, python3-dev]}\n",
		"libs/fastadd/ignored.pyc":  "x",
		"libs/other/not_needed.txt": "x",
	})
}

// TestSources builds all of them, runs the project's console script, and changes the extension alone.
func TestSources(t *testing.T) {
	tb, g := testbed.Shared(t), testbed.NewGitServer(t)
	b, p := connect(t, tb.Daemon.Addr()), ofSources(t, g)
	ref := tb.Registry.Ref("sources:1.0-cpu")
	req := func() builder.Request {
		r := p.request(p.variant("cpu", ref))
		r.Tagged = pypi.Tagged{Tag: "v3.2.1-rc"}
		return r
	}
	locks, err := b.Lock(t.Context(), req(), builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.write(locks[0].Path, string(locks[0].Data))
	mustBuild(t, b, req())
	first := readBack(t, tb.Registry, "sources:1.0-cpu")
	first.checkAll(time.Unix(0, 0))
	if out := inImage(t, tb, ref); out != "hello from git 42\n" {
		t.Errorf("the project's console script says %q", out)
	}
	for _, l := range first.layers {
		if strings.Contains(l.createdBy, "gcc") {
			t.Errorf("the compiler is shipped in %q", l.createdBy)
		}
	}
	for name, want := range map[string]string{"own-3.2.1rc0": "", "greet-1.4": `"commit_id"`, "fastadd-2.0.dev0": ""} {
		origin := "opt/venv/lib/python3.11/site-packages/" + name + ".dist-info/direct_url.json"
		if _, there := first.tree[path.Join(path.Dir(origin), "METADATA")]; !there {
			t.Errorf("%s is not installed", name)
		}
		if _, there := first.tree[origin]; there != (want != "") || there && !strings.Contains(first.file(origin), want) {
			t.Errorf("%s says where it comes from: %t", name, there)
		}
	}

	t.Run("built again, the wheels are the same", func(t *testing.T) {
		r := req()
		r.NoCache = ops.NoCache{"source"}
		res := mustBuild(t, b, r)
		if again := readBack(t, tb.Registry, "sources:1.0-cpu"); !slices.Equal(again.layerDigests(), first.layerDigests()) || res.Images[0].Ran < 3 {
			t.Errorf("%d steps ran; layers %q, were %q", res.Images[0].Ran, again.layerDigests(), first.layerDigests())
		}
	})

	t.Run("an edited extension sends its own layer", func(t *testing.T) {
		p.write("libs/fastadd/fastadd.c", strings.Replace(cExtension, "OFFSET", "1000", 1))
		tb.Registry.Reset()
		mustBuild(t, b, req())
		var sent []string
		for _, u := range tb.Registry.Uploads() {
			if u.Repository == "sources" {
				sent = append(sent, u.Digest)
			}
		}
		after := readBack(t, tb.Registry, "sources:1.0-cpu")
		for i, d := range after.layerDigests() {
			changed := d != first.layerDigests()[i]
			if own := after.layers[i].createdBy == "mlbuild built: fastadd"; changed != own || changed != slices.Contains(sent, d) {
				t.Errorf("layer %q: changed %t, sent %t", after.layers[i].createdBy, changed, slices.Contains(sent, d))
			}
		}
		if out := inImage(t, tb, ref); out != "hello from git 1042\n" {
			t.Errorf("it says %q", out)
		}
	})

	t.Run("a compiler's error is shown", func(t *testing.T) {
		p.write("libs/fastadd/fastadd.c", strings.Replace(cExtension, "long a, b;", "lnog a, b;", 1))
		r := req()
		r.Outputs = nil
		want{code: fault.Step, says: []string{"the wheel of fastadd, required by requirements.txt:1 cannot be built for profile cpu:\n",
			"\nfastadd.c:3:5: error: unknown type name ‘lnog’"}, hints: []string{"mlbuild --target builder"}}.check(t, p.attempt(b, r))
	})

	t.Run("a library that the image lacks is named with its package", func(t *testing.T) {
		p.write("libs/fastadd/fastadd.c", cExtension)
		p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "-Wl,--as-needed", "-Wl,--no-as-needed -fopenmp", 1))
		r := req()
		r.Outputs = nil
		want{code: fault.Wheel, says: []string{"fastadd.cpython-311-x86_64-linux-gnu.so links libgomp.so.1, which no layer of the image has: Debian's package is libgomp1"},
			hints: []string{"name the Debian package that has the library in system: {runtime: […]}"}}.check(t, p.attempt(b, r))
		p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "system: {", "system: {runtime: [libgomp1], ", 1))
		mustBuild(t, b, req())
		if out := inImage(t, tb, ref); out != "hello from git 42\n" {
			t.Errorf("with libgomp1 it says %q", out)
		}
	})
}
