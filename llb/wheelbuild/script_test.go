package wheelbuild

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/scripts"
)

// zipped packs files under their names.
func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// installTold is what installwheel.py is told.
type installTold struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Machine string   `json:"machine"`
	Glibc   int      `json:"glibc"`
	Needs   []string `json:"needs"`
	Args    []string `json:"args"`
}

// installWheel runs installwheel.py, its fixed places below dir, on a wheel of these files, and returns what it prints.
func installWheel(t *testing.T, dir, wheel string, files map[string][]byte, told installTold) (string, bool) {
	t.Helper()
	job, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	llbtest.Put(t, dir, map[string]string{
		"mlbuild/wheel/" + wheel: string(zipped(t, files)), "mlbuild/wheel/libraries.json": `{"libbrought.so.1": "helper-lib", "libtool.so": "only-a-tool"}`,
		"lay.json": string(job), "run.py": strings.ReplaceAll(scripts.InstallWheel, `"/mlbuild/`, `"`+dir+`/mlbuild/`),
	})
	out, err := exec.CommandContext(t.Context(), "python3", filepath.Join(dir, "run.py")).CombinedOutput()
	return string(out), err == nil
}

// library is a shared library with a name that links others, made by gcc.
func library(t *testing.T, dir, soname string, links ...string) []byte {
	t.Helper()
	source, out := filepath.Join(dir, "x.c"), filepath.Join(dir, soname)
	llbtest.Put(t, dir, map[string]string{"x.c": "#include <stdio.h>\nint f(void) { return puts(\"\"); }\n"})
	args := []string{"-shared", "-fPIC", "-o", out, "-Wl,--no-as-needed", "-Wl,-soname," + soname, source}
	for _, l := range links {
		args = append(args, filepath.Join(dir, l))
	}
	if said, err := exec.CommandContext(t.Context(), "gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestBuiltWheelIsChecked: name, version, platform and glibc, before it is unpacked.
func TestBuiltWheelIsChecked(t *testing.T) {
	for _, c := range []struct{ wheel, says string }{
		{"fast_add-1.0-py3-none-any.whl", "-out fast_add-1.0-py3-none-any.whl\n"},
		{"fast_add-1.0.0-cp311-cp311-linux_x86_64.whl", "-out fast_add-1.0.0-cp311-cp311-linux_x86_64.whl\n"},
		{"fast_add-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "-out fast_add-1.0"},
		{"fast_add-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", "-out fast_add-1.0"},
		{"fast_add-1.0-cp311-cp311-manylinux_2_38_x86_64.whl", "E-WHEEL: fast_add-1.0-cp311-cp311-manylinux_2_38_x86_64.whl needs glibc 2.38, the base image has 2.36\n"},
		{"fast_add-1.0-cp311-cp311-linux_aarch64.whl", "E-WHEEL: fast_add-1.0-cp311-cp311-linux_aarch64.whl is for the platform linux_aarch64, the image is linux on x86_64 with glibc\n"},
		{"fast_add-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", "E-WHEEL: fast_add-1.0-cp311-cp311-musllinux_1_2_x86_64.whl is for the platform musllinux_1_2_x86_64"},
		{"fast_add-1.0-cp311-cp311-macosx_11_0_arm64.whl", "is for the platform macosx_11_0_arm64"},
		{"fast_add-1.1-py3-none-any.whl", "E-WHEEL: the source of fast-add 1.0 makes a wheel of version 1.1\n"},
		{"slow_add-1.1-py3-none-any.whl", "E-WHEEL: the source of fast-add makes a wheel of slow-add\nE-WHEEL: the source of fast-add 1.0 makes"},
	} {
		told := installTold{Name: "fast-add", Version: "1.0", Machine: "x86_64", Glibc: 36, Args: []string{"/bin/echo", "-out", "{wheel}"}}
		said, ok := installWheel(t, t.TempDir(), c.wheel, map[string][]byte{"fast_add.py": nil}, told)
		if !strings.Contains(said, c.says) || ok != strings.HasPrefix(c.says, "-out") {
			t.Errorf("%s: %t\n%swant\n%s", c.wheel, ok, said, c.says)
		}
	}
}

// TestLibrariesOfABuiltWheel: each library that it links must be its own, glibc's, of a layer of the image, or of a package that it and its build require.
func TestLibrariesOfABuiltWheel(t *testing.T) {
	dir, libs := t.TempDir(), t.TempDir()
	for _, l := range []string{"libbase.so.1", "liblayer.so.2", "libbrought.so.1", "libtool.so", "libown-1a2b.so", "libmissing.so.3"} {
		library(t, libs, l)
	}
	llbtest.Put(t, dir, map[string]string{"mlbuild/base/usr/lib/x/libbase.so.1": "", "mlbuild/layers/0/opt/venv/lib/liblayer.so.2": ""})
	files := map[string][]byte{
		"fast/_a.cpython-311-x86_64-linux-gnu.so": library(t, libs, "a.so", "libbase.so.1", "liblayer.so.2", "libbrought.so.1", "libown-1a2b.so"),
		"fast.libs/libown-1a2b.so":                library(t, libs, "libown-1a2b.so"),
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	told := installTold{Name: "fast", Machine: machine, Glibc: 90, Needs: []string{"helper-lib"}, Args: []string{"/bin/echo", "installs", "{wheel}"}}
	wheel := "fast-1-cp311-cp311-linux_" + machine + ".whl"
	said, ok := installWheel(t, dir, wheel, files, told)
	want := wheel + " links libbase.so.1, libbrought.so.1, libc.so.6, liblayer.so.2, libown-1a2b.so\ninstalls " + wheel + "\n"
	if !ok || said != want {
		t.Errorf("%t, it says\n%swant\n%s", ok, said, want)
	}

	files["fast/_b.so"] = library(t, libs, "b.so", "libtool.so", "libmissing.so.3")
	said, ok = installWheel(t, dir, wheel, files, told)
	for _, want := range []string{"E-WHEEL: fast/_b.so links libmissing.so.3, which no layer of the image has\n", "E-WHEEL: fast/_b.so links libtool.so, which no layer of the image has\n"} {
		if ok || !strings.Contains(said, want) {
			t.Errorf("%t, it says\n%swant\n%s", ok, said, want)
		}
	}

	told.Glibc = 1
	said, _ = installWheel(t, dir, wheel, map[string][]byte{"fast/_a.so": files["fast/_a.cpython-311-x86_64-linux-gnu.so"]}, told)
	if want := regexp.MustCompile(`E-WHEEL: fast/_a\.so in ` + regexp.QuoteMeta(wheel) + ` needs glibc 2\.\d+, the base image has 2\.1\n`); !want.MatchString(said) {
		t.Errorf("with an old glibc it says\n%s", said)
	}
}

// unpackAs has buildwheel.py unpack an archive, and returns the files below the package's directory, or what it says.
func unpackAs(t *testing.T, name string, data []byte, subdir string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.ReplaceAll(scripts.BuildWheel, `"/mlbuild/`, `"`+dir+`/mlbuild/`)
	text = strings.TrimSuffix(text, "main()\n") + "root = lay_source({'archive': '" + name + "', 'subdir': '" + subdir + "'})\nprint(sorted(os.listdir(root)))\n"
	llbtest.Put(t, dir, map[string]string{"mlbuild/source/" + name: string(data), "run.py": text})
	out, _ := exec.CommandContext(t.Context(), "python3", filepath.Join(dir, "run.py")).CombinedOutput()
	return strings.TrimSpace(string(out))
}

func TestUnpackedSources(t *testing.T) {
	files := map[string][]byte{"x-1/pyproject.toml": nil, "x-1/x.py": nil, "x-1/py/setup.py": nil}
	for _, c := range []struct{ name, subdir, want string }{
		{"x-1.tar.gz", "", "['py', 'pyproject.toml', 'x.py']"},
		{"x-1.zip", "", "['py', 'pyproject.toml', 'x.py']"},
		{"x-1.zip", "py", "['setup.py']"},
		{"x-1.tar.gz", "docs", "the source has neither pyproject.toml nor setup.py in docs"},
	} {
		data := zipped(t, files)
		if strings.HasSuffix(c.name, "gz") {
			data = tarred(t, files)
		}
		if got := unpackAs(t, c.name, data, c.subdir); got != c.want {
			t.Errorf("%s %s: %s", c.name, c.subdir, got)
		}
	}
	if got := unpackAs(t, "flat.zip", zipped(t, map[string][]byte{"setup.py": nil, "x.py": nil}), ""); got != "['setup.py', 'x.py']" {
		t.Errorf("an archive without a directory at its top: %s", got)
	}
}

func tarred(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for name, data := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
