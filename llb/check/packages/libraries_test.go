package packages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/loader/elftest"
)

// library is a shared library that needs others.
func library(needed ...string) string { return string(elftest.Library{Needed: needed}.Bytes()) }

// extension is an extension module, as far as its names tell, that needs libraries.
func extension(module string, needed ...string) string {
	return string(elftest.Library{Needed: needed, Names: []string{"PyInit_" + module}}.Bytes())
}

const (
	nope  = "libmlbuildnope.so.7"
	other = "libmlbuildother.so.1"
)

// TestImportLacksLibrary: an import that fails for want of a library names it and its file, and all else that this file lacks is told at once.
func TestImportLacksLibrary(t *testing.T) {
	for name, c := range map[string]files{
		"extension module": {"pkg/__init__.py": "from . import ext", "pkg/ext.so": extension("ext", nope, other), "pkg/plugin.so": library(nope, other, "libplugin.so.9")},
		"by ctypes":        {"pkg/__init__.py": "import ctypes, os; ctypes.CDLL(os.path.dirname(__file__) + '/ext.so')", "pkg/ext.so": library(nope, other)},
		"by way of another": {
			"pkg/__init__.py": "from . import ext", "pkg/ext.so": string(elftest.Library{Needed: []string{"libmid.so"}, Runpath: "$ORIGIN", Names: []string{"PyInit_ext"}}.Bytes()),
			"pkg/libmid.so": library(nope, other),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t).add("pkg 1", c)
			r := s.check(nil)
			want(t, r, "import pkg pkg "+nope, "library pkg "+other)
			for _, f := range r.Faults {
				if f.File != s.dir+"/pkg/ext.so" && f.File != s.dir+"/pkg/libmid.so" {
					t.Errorf("file %q", f.File)
				}
			}
			want(t, s.check(func(q *check.Packages) { q.Lacking = []string{other} }), "import pkg pkg "+nope)
			r = s.check(func(q *check.Packages) {
				q.Installed = nil
				q.Modules = []check.Module{{Name: "pkg", File: "app.py", Line: 7}}
			})
			want(t, r, "import pkg "+nope, "library pkg "+other)
			if f := r.Faults[0]; f.File != "app.py" || f.Line != 7 {
				t.Errorf("%+v", f)
			}
			r = s.check(func(q *check.Packages) { q.Lacking = []string{nope, other} })
			want(t, r)
			noted(t, r, "needs "+nope+" to be imported")
		})
	}
}

// TestOpenedByName: all libraries that a module opens by their names are told at once.
func TestOpenedByName(t *testing.T) {
	s := newSite(t).add("pyvips 1", files{"pyvips/__init__.py": "raise OSError(\"cannot load library 'libgobject-2.0-0': libgobject-2.0-0: cannot open shared object file: No such file\")"})
	r := s.check(nil)
	if _, err := os.Stat("/usr/lib/x86_64-linux-gnu/libvips.so.42"); err == nil {
		t.Skip("libvips is installed here")
	}
	want(t, r, "import pyvips pyvips libgobject-2.0.so.0", "library pyvips libvips.so.42")
}

// TestOptionalLibraries: an import that goes well, and what lacks nevertheless.
func TestOptionalLibraries(t *testing.T) {
	fine := func(t *testing.T) string { // an extension module of this Python
		t.Helper()
		found, _ := filepath.Glob(filepath.Dir(filepath.Dir(python3())) + "/lib/python3*/lib-dynload/_bisect*.so")
		if len(found) == 0 {
			t.Skip("this Python has no extension module _bisect")
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}(t)
	for name, c := range map[string]struct {
		files files
		want  []string
		note  string
	}{
		"one of three": {files{"pkg/__init__.py": "", "pkg/pool.so": extension("pool", nope), "pkg/_bisect.so": fine, "pkg/sub/_bisect.so": fine}, nil, "pkg " + nope},
		"two of three": {
			files{"pkg/__init__.py": "", "pkg/pool.so": extension("pool", nope), "pkg/_bisect.so": fine, "pkg/gui.so": extension("gui", nope, other)},
			[]string{"library pkg " + nope}, "pkg " + other,
		},
		"a plugin":           {files{"pkg/__init__.py": "", "pkg/_bisect.so": fine, "pkg/plugins/libplugin.so": library(nope), "pkg/plugins/libother.so": library(nope)}, nil, ""},
		"the only library":   {files{"pkg/__init__.py": "", "pkg/libpkg.so": library(nope)}, []string{"library pkg " + nope}, ""},
		"one of many builds": {files{"pkg/__init__.py": "", "pkg/libpkg11.so": library(nope), "pkg/libpkg12.so": library(other)}, nil, ""},
		"carried by another": {files{"pkg/__init__.py": "", "pkg/ext.so": extension("ext", nope), "pkg.libs/" + nope: library()}, nil, ""},
		"carried by its own name": {
			files{"pkg/__init__.py": "", "pkg/ext.so": extension("ext", nope), "pkg.libs/libx.so": string(elftest.Library{Soname: nope}.Bytes())}, nil, "",
		},
		"a driver's": {files{"pkg/__init__.py": "", "pkg/ext.so": extension("ext", "libcuda.so.1", "libnvidia-ml.so.1")}, nil, ""},
		"loaded before": {
			files{"pkg/__init__.py": "import ctypes, os; ctypes.CDLL(os.path.dirname(__file__) + '/data/x', ctypes.RTLD_GLOBAL)", "pkg/lib.so": library(nope), "pkg/data/x": string(elftest.Library{Soname: nope}.Bytes())},
			nil, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSite(t).add("pkg 1", c.files).check(nil)
			want(t, r, c.want...)
			if c.note != "" {
				noted(t, r, c.note)
			}
		})
	}
}

// TestLibrariesOfOthers: what nobody imports is judged by nobody, and parts of one package that several distributions bring are judged together.
func TestLibrariesOfOthers(t *testing.T) {
	s := newSite(t).add("pkg 1", files{"pkg/__init__.py": ""})
	s.addOnly("deep 1", files{"deep/__init__.py": "", "deep/ext.so": extension("ext", nope)})
	r := s.check(nil)
	want(t, r)
	noted(t, r, "deep "+nope)
	want(t, s.check(func(q *check.Packages) { q.Modules = []check.Module{{Name: "deep", File: "a.py"}} }), "library deep "+nope)

	s.addOnly("addons 1", files{"pkg/web.so": extension("web", nope)})
	s.addOnly("essentials 1", files{"pkg/core.so": extension("core", other), "pkg/gui.so": extension("gui", other)})
	r = s.check(nil)
	want(t, r, "library essentials "+other)
	r = s.check(func(q *check.Packages) { q.Skip = []string{"pkg"} })
	want(t, r)
}

// TestFrameworks: each framework is asked which build it is.
func TestFrameworks(t *testing.T) {
	torch := func(cuda, hip string) files {
		return files{"torch/__init__.py": "__version__ = '2'\nfrom . import version, cuda", "torch/version.py": "cuda = " + cuda + "\nhip = " + hip, "torch/cuda.py": "def is_available(): return False"}
	}
	for name, c := range map[string]struct {
		dist      string
		files     files
		framework check.Framework
		want      []string
	}{
		"torch kept":          {"torch 2", torch("'12.6'", "None"), check.Framework{Name: "torch", Want: "cuda", CUDA: "12.6"}, nil},
		"torch of a CPU":      {"torch 2", torch("None", "None"), check.Framework{Name: "torch", Want: "cuda", CUDA: "12.6"}, []string{"promise torch the CPU CUDA 12.6"}},
		"torch of other CUDA": {"torch 2", torch("'11.8'", "None"), check.Framework{Name: "torch", Want: "cuda", CUDA: "12.6"}, []string{"promise torch CUDA 11.8 CUDA 12.6"}},
		"torch of any CUDA":   {"torch 2", torch("'11.8'", "None"), check.Framework{Name: "torch", Want: "cuda"}, nil},
		"torch of CUDA":       {"torch 2", torch("'11.8'", "None"), check.Framework{Name: "torch", Want: "cpu"}, []string{"promise torch CUDA 11.8 the CPU"}},
		"torch of ROCm":       {"torch 2", torch("None", "'6.2'"), check.Framework{Name: "torch", Want: "rocm"}, nil},
		"no torch":            {"other 2", nil, check.Framework{Name: "torch", Want: "cuda"}, nil},
		"tensorflow": {
			"tensorflow-cpu 2", files{"tensorflow.py": "__version__ = '2'\nclass sysconfig:\n  get_build_info = staticmethod(lambda: {'is_cuda_build': False})"},
			check.Framework{Name: "tensorflow", Want: "cuda"}, []string{"promise tensorflow the CPU CUDA"},
		},
		"onnxruntime": {
			"onnxruntime-gpu 1", files{"onnxruntime.py": "__version__ = '1'\nget_available_providers = lambda: ['CUDAExecutionProvider', 'CPUExecutionProvider']"},
			check.Framework{Name: "onnxruntime", Want: "cuda"}, nil,
		},
		"onnxruntime of a CPU": {
			"onnxruntime 1", files{"onnxruntime.py": "__version__ = '1'\nget_available_providers = lambda: ['CPUExecutionProvider']"},
			check.Framework{Name: "onnxruntime", Want: "cuda"}, []string{"promise onnxruntime the CPU CUDA"},
		},
		"jax":                    {"jax 1", files{"jax.py": "", "jax_cuda13_plugin/__init__.py": ""}, check.Framework{Name: "jax", Want: "cuda"}, nil},
		"jax without its plugin": {"jax 1", files{"jax.py": ""}, check.Framework{Name: "jax", Want: "cuda"}, []string{"promise jax the CPU CUDA"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSite(t).add(c.dist, c.files).check(func(q *check.Packages) { q.Frameworks = []check.Framework{c.framework} })
			want(t, r, c.want...)
			if len(r.Notes) > 0 && !strings.Contains(r.Notes[0], "lack shared libraries") {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// TestDevice: where torch sees a device, it has to compute.
func TestDevice(t *testing.T) {
	const torch = `
__version__ = '2'
class version: cuda = '12.6'
class cuda:
  is_available = staticmethod(lambda: True)
  device_count = staticmethod(lambda: 2)
class ones:
  def __init__(self, *a, **k): pass
  def __matmul__(self, other): return {(0, 0): %s}
`
	ask := func(product string) check.Report {
		return newSite(t).add("torch 2", files{"torch.py": strings.Replace(torch, "%s", product, 1)}).check(func(q *check.Packages) {
			q.Frameworks = []check.Framework{{Name: "torch", Want: "cuda"}}
		})
	}
	if r := ask("64.0"); len(r.Faults) > 0 || r.GPUs != 2 {
		t.Errorf("%+v", r)
	}
	r := ask("1.0")
	want(t, r, "promise torch 2 devices, which do not compute a device that computes")
}
