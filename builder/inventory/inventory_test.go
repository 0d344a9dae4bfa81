package inventory

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

func project(t *testing.T, sizes map[string]int64) *projectdir.FS {
	t.Helper()
	return opened(t, files(t, sizes))
}

// files writes files of some sizes into a directory.
func files(t *testing.T, sizes map[string]int64) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range sizes {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return dir
}

func opened(t *testing.T, dir string) *projectdir.FS {
	t.Helper()
	fsys, err := projectdir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fsys.Close() })
	return fsys
}

const enough = time.Minute

// What is copied is counted, and what is not has its size and the reason.
func TestTake(t *testing.T) {
	dir := files(t, map[string]int64{
		"app.py": 100, "src/pkg/a.py": 10, "src/pkg/weights.bin": 5000, "src/pkg/notes.log": 30, "src/pkg/__pycache__/a.pyc": 9, "src/cache/x": 1,
		"helpers/h.py": 70, "model.pkl": 50e6, "data/a/1": 100e6, "data/2": 200e6, ".git/config": 5, ".venv/pyvenv.cfg": 3, "env-3.11/pyvenv.cfg": 3, "requirements.txt": 8, "step.sh": 4,
	})
	fsys := opened(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, fsys, ".dockerignore", "# sizes\n\n*.pkl\n**/*.log\n")
	ignore := []string{"**/.git", "**/__pycache__", "*.pkl", "**/*.log"}
	got := Take(Project{FS: fsys, Budget: enough,
		Image: []ops.Selection{{Paths: []string{"app.py", "model.pkl"}, Ignore: ignore}, {Paths: []string{"src"}, Ignore: append(slices.Clone(ignore), "src/cache")}},
		Sent:  []ops.Selection{{Paths: []string{"step.sh"}, Ignore: ignore}, {Paths: []string{"x"}, Up: 1}},
	})
	want := Inventory{
		Files: 3, Size: 5110, Largest: []ProjectFile{{"src/pkg/weights.bin", 5000}, {"app.py", 100}, {"src/pkg/a.py", 10}},
		Left: []Left{
			{Path: "data/", Size: 300e6, Why: "not named by app.copy"}, {Path: "model.pkl", Size: 50e6, Why: ".dockerignore line 3"}, {Path: "helpers/", Size: 70, Why: "not named by app.copy"},
			{Path: "src/pkg/notes.log", Size: 30, Why: ".dockerignore line 4"}, {Path: "src/cache/", Size: 1, Why: "left out by exclude of app.copy, or by default"},
		},
		Usual: []string{".dockerignore", ".git", ".venv", "__pycache__", "env-3.11", "requirements.txt"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the inventory is another (-want +got):\n%s", d)
	}
}

// What a later line takes back is copied, and a directory of which nothing is taken back stays behind as one.
func TestTakenBack(t *testing.T) {
	fsys := project(t, map[string]int64{"data/keep.txt": 1, "data/big": 1000, "other/a": 20, "other/b": 30, "main.py": 5})
	write(t, fsys, ".dockerignore", "data/*\n!data/keep.txt\nother\n!**/keep.txt\n")
	for name, ignore := range map[string][]string{"by name": {"data/*", "!data/keep.txt", "other"}, "by pattern": {"data/*", "!data/keep.txt", "other", "!**/keep.txt"}} {
		got := Take(Project{FS: fsys, Budget: enough, Image: []ops.Selection{{Paths: []string{"."}, Ignore: ignore}}})
		want := []Left{{Path: "data/big", Size: 1000, Why: ".dockerignore line 1"}, {Path: "other/", Size: 50, Why: ".dockerignore line 3"}}
		if d := cmp.Diff(want, got.Left); d != "" || got.Files != 3 {
			t.Errorf("%s: %d files are copied, left (-want +got):\n%s", name, got.Files, d)
		}
	}
}

// Counting ends with its time: what was not looked at is partial, and so is a directory with more than could be read.
func TestBudget(t *testing.T) {
	fsys := project(t, map[string]int64{"main.py": 5, "data/a/x": 10, "data/y": 10, "model.bin": 3})
	got := Take(Project{FS: fsys, Image: []ops.Selection{{Paths: []string{"main.py"}}}})
	want := []Left{{Path: "model.bin", Size: 3, Why: notNamed}, {Path: "data/", Partial: true, Why: notNamed}}
	if d := cmp.Diff(want, got.Left); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
}

// Of many names the largest are told, and the others counted.
func TestMany(t *testing.T) {
	sizes := map[string]int64{"main.py": 5}
	for i := range mostLeft + 30 {
		sizes[filepath.Join("out", string(rune('a'+i%26)), string(rune('a'+i/26)))+".csv"] = int64(i + 1)
	}
	got := Take(Project{FS: project(t, sizes), Budget: enough, Image: []ops.Selection{{Paths: []string{"."}, Ignore: []string{"**/*.csv"}}}})
	if len(got.Left) != mostLeft || got.More != 30 || got.MoreSize != 30*31/2 || got.Left[0].Size != mostLeft+30 {
		t.Errorf("%d are told, the largest of %d bytes, and %d more of %d bytes", len(got.Left), got.Left[0].Size, got.More, got.MoreSize)
	}
}

func write(t *testing.T, fsys *projectdir.FS, name, text string) {
	t.Helper()
	if err := fsys.WriteFile(name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}
