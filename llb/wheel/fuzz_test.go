package wheel_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// FuzzInstall installs mutated wheels: no panic, nothing outside the root, nothing but regular files inside, and a fault
// of the wheel for everything that fails.
func FuzzInstall(f *testing.F) {
	f.Add(wheeltest.Build("demo", "1.0", tag, map[string]string{"demo.py": "x", "{info}/entry_points.txt": "[console_scripts]\na = demo:b\n"}))
	f.Add(wheeltest.Build("demo", "1.0", tag, map[string]string{"{data}/scripts/run": "#!python\n", "{data}/data/x": "y", "demo.pth": "x"}, wheeltest.Stored()))
	f.Add(newRawZip(f, map[string]string{"a.py": text}).bytes())
	for _, lie := range lies {
		z := newRawZip(f, map[string]string{"a.py": text})
		lie.bend(z, z.entry("a.py"))
		f.Add(z.bytes())
	}
	wide := newRawZip(f, map[string]string{"a.py": text})
	wide.zip64 = true
	describe(wide.entry("a.py"), true, true)
	f.Add(wide.bytes())
	f.Fuzz(fuzzOne)
}

// FuzzFiles installs sound zips with a file of any name and contents and any entry points.
func FuzzFiles(f *testing.F) {
	f.Add("demo.py", "x", "a = demo:b")
	f.Add("../x", "", "../a = demo:b [x]")
	f.Add("demo-1.0.data/scripts/run", "#!python -u\n", "")
	f.Add("demo-1.0.data/data/lib64/x", "", "")
	f.Add("demo.pth", "import x", "")
	f.Fuzz(func(t *testing.T, name, text, points string) {
		if len(name) > 0xffff {
			return
		}
		files := map[string]string{"{info}/entry_points.txt": "[console_scripts]\n" + points}
		z := newRawZip(t, files)
		e := newRawEntry(t, name, text)
		z.entries = append(z.entries, e)
		record := z.entry("demo-1.0.dist-info/RECORD")
		*record = *newRawEntry(t, record.local.name, wheelFiles(t, files)[record.local.name]+name+","+sha256Row(text)+",\n")
		fuzzOne(t, z.bytes())
	})
}

// fuzzOne installs a wheel of any bytes.
func fuzzOne(t *testing.T, data []byte) {
	top := t.TempDir()
	dir := filepath.Join(top, "root")
	wheelPath := filepath.Join(top, "demo-1.0-py3-none-any.whl")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wheelPath, data, 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = wheel.Install(root, wheelPath, wheel.Options{Python: "3.11", Workers: 1})
	for _, f := range fault.All(err) {
		if f.Code != fault.WheelUnsafe {
			t.Errorf("not a fault of the wheel: %v", f)
		}
	}
	checkContained(t, top, dir)
}

// checkContained wants nothing but the wheel beside dir, and inside it regular files below /opt/venv alone.
func checkContained(t *testing.T, top, dir string) {
	t.Helper()
	beside, err := os.ReadDir(top)
	if err != nil || len(beside) != 2 {
		t.Errorf("beside the root: %v, %v", beside, err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() || !strings.HasPrefix(rel, "opt/venv/") {
			t.Errorf("%s is a %v", rel, d.Type())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzReadRecord never panics, and what it gives can be written and read again.
func FuzzReadRecord(f *testing.F) {
	f.Add("a.py," + sha256Row("x") + ",1\nRECORD,,\n")
	f.Add("\"a\"\"b\",sha512=,\n")
	f.Fuzz(func(t *testing.T, s string) {
		rows, err := wheel.ReadRecord(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, r := range rows {
			if r.Size < -1 || r.Hash != "" && !strings.Contains(r.Hash, "=") {
				t.Errorf("row %+v", r)
			}
		}
	})
}
