package wheel_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
)

// realWheels have between them: compiled modules, .data/scripts, headers, programs, a start-up file.
var realWheels = []string{"numpy", "setuptools", "certifi", "fastapi", "uvicorn", "greenlet", "ruff"}

// skip skips a test that needs what is missing here, or fails it where everything must be there.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestAgainstPip installs real wheels with pip and with Install and compares every file.
func TestAgainstPip(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real wheels are not downloaded")
	}
	dir := t.TempDir()
	venv, wheels := filepath.Join(dir, "venv"), filepath.Join(dir, "wheels")
	if out, err := exec.Command("python3", "-m", "venv", venv).CombinedOutput(); err != nil {
		skip(t, "python3 -m venv: install python3 and python3-venv: "+string(out))
	}
	pip := filepath.Join(venv, "bin", "pip")
	args := []string{"download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", wheels}
	if out, err := exec.Command(pip, append(args, realWheels...)...).CombinedOutput(); err != nil {
		skip(t, "pip download: needs the Python index: "+string(out))
	}
	python := pythonOf(t, venv)
	paths, err := filepath.Glob(filepath.Join(wheels, "*.whl"))
	if err != nil || len(paths) != len(realWheels) {
		t.Fatalf("wheels %v, %v", paths, err)
	}
	run(t, pip, "uninstall", "--quiet", "--yes", "setuptools")
	before := pipFiles(t, venv)
	run(t, pip, append([]string{"install", "--quiet", "--no-deps", "--no-index", "--no-compile"}, paths...)...)
	want := pipFiles(t, venv)
	for path := range before {
		delete(want, path)
	}
	root := newRoot(t)
	for _, path := range paths {
		if _, err := wheel.Install(root, path, wheel.Options{Python: python}); err != nil {
			t.Fatal(err)
		}
	}
	compareWithPip(t, want, pipFiles(t, filepath.Join(root.Name(), "opt/venv")), venv)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func pythonOf(t *testing.T, venv string) string {
	t.Helper()
	return run(t, filepath.Join(venv, "bin", "python"), "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
}

// pipFile is one file that an installer wrote.
type pipFile struct {
	data []byte
	exec bool
}

// pipFiles reads the files of a virtual environment, without bytecode and links.
func pipFiles(t *testing.T, venv string) map[string]pipFile {
	t.Helper()
	out := map[string]pipFile{}
	err := filepath.WalkDir(venv, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".pyc") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(venv, path)
		out[rel] = pipFile{data, st.Mode()&0o100 != 0}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compareWithPip compares file sets, modes and bytes. RECORD and INSTALLER name the installer; programs of entry points
// and first lines of scripts are each installer's own.
func compareWithPip(t *testing.T, want, got map[string]pipFile, venv string) {
	t.Helper()
	for path, pip := range want {
		ours, ok := got[path]
		base := filepath.Base(path)
		switch {
		case base == "REQUESTED" || base == "direct_url.json":
		case !ok:
			t.Errorf("pip writes %s", path)
		case ours.exec != pip.exec:
			t.Errorf("%s is executable: %t, with pip %t", path, ours.exec, pip.exec)
		case base == "INSTALLER" || base == "RECORD":
		case bytes.HasPrefix(pip.data, []byte("#!"+venv)):
			if !bytes.HasPrefix(ours.data, []byte("#!/opt/venv/bin/python\n")) {
				t.Errorf("%s does not start the interpreter of the environment: %.60q", path, ours.data)
			}
		case !bytes.Equal(ours.data, pip.data):
			t.Errorf("%s differs from pip's", path)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("pip does not write %s", path)
		}
	}
	if len(want) < 1000 {
		t.Errorf("pip wrote only %d files", len(want))
	}
}
