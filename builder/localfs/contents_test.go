package localfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestContents: whatever a daemon would be sent otherwise makes other contents, and nothing else does.
func TestContents(t *testing.T) {
	files := map[string]string{"src/a.py": "a", "src/b.py": "b", "notes.log": "x"}
	selection := Selection{Paths: []string{"src"}, Ignore: []string{"*.tmp", "src/*.tmp"}}
	of := func(dir string) digest.Digest {
		d, err := open(t, dir, "").Contents(t.Context(), selection)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := t.TempDir()
	write(t, first, files)
	want := of(first)
	for name, test := range map[string]struct {
		change func(src string) error
		same   bool
	}{
		"nothing":             {func(string) error { return nil }, true},
		"a file beside it":    {func(src string) error { return os.WriteFile(filepath.Join(src, "..", "other"), nil, 0o600) }, true},
		"a file left out":     {func(src string) error { return os.WriteFile(filepath.Join(src, "x.tmp"), nil, 0o600) }, true},
		"bytes of one length": {func(src string) error { return os.WriteFile(filepath.Join(src, "a.py"), []byte("c"), 0o600) }, false},
		"a file more":         {func(src string) error { return os.WriteFile(filepath.Join(src, "c.py"), nil, 0o600) }, false},
		"a file less":         {func(src string) error { return os.Remove(filepath.Join(src, "b.py")) }, false},
		"another name":        {func(src string) error { return os.Rename(filepath.Join(src, "b.py"), filepath.Join(src, "c.py")) }, false},
		"a program":           {func(src string) error { return os.Chmod(filepath.Join(src, "a.py"), 0o755) }, false},
		"an empty directory":  {func(src string) error { return os.Mkdir(filepath.Join(src, "d"), 0o755) }, false},
		"a link in its place": {func(src string) error {
			if err := os.Remove(filepath.Join(src, "b.py")); err != nil {
				return err
			}
			return os.Symlink("a.py", filepath.Join(src, "b.py"))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, files)
			if err := test.change(filepath.Join(dir, "src")); err != nil {
				t.Fatal(err)
			}
			if got := of(dir); (got == want) != test.same {
				t.Errorf("the contents are the same: %v", got == want)
			}
		})
	}
}

// TestSteady: files that were not the same whenever somebody looked, or whenever they were sent, are not steady.
func TestSteady(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.py": "a"})
	project, d := open(t, dir, t.TempDir()), newDaemon(t)
	if _, err := d.sync(project, everything); err != nil {
		t.Fatal(err)
	}
	if _, err := project.Contents(t.Context(), everything); err != nil || !project.Steady(everything) {
		t.Errorf("unchanged files: steady %v, %v", project.Steady(everything), err)
	}
	write(t, dir, map[string]string{"a.py": "b"})
	if _, err := project.Contents(t.Context(), everything); err != nil || project.Steady(everything) {
		t.Errorf("files that were changed after they were sent: steady %v, %v", project.Steady(everything), err)
	}
	write(t, dir, map[string]string{"a.py": "a"})
	if _, err := project.Contents(t.Context(), everything); err != nil || project.Steady(everything) {
		t.Errorf("files that were changed back: steady %v, %v", project.Steady(everything), err)
	}
}

// TestContentsAreReadOnce: what was found is what the next transfer sends, unless it comes much later.
func TestContentsAreReadOnce(t *testing.T) {
	for name, test := range map[string]struct {
		late bool
		want error
	}{"at once": {false, ErrChanged}, "later": {true, nil}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"a.py": "a"})
			project, d := open(t, dir, t.TempDir()), newDaemon(t)
			if _, err := project.Contents(t.Context(), everything); err != nil {
				t.Fatal(err)
			}
			write(t, dir, map[string]string{"a.py": "b"})
			if found := project.views.next[everything.Name()]; test.late {
				found.at = found.at.Add(-keptFor)
				project.views.keep(everything, found)
			}
			if _, err := d.sync(project, everything); !errors.Is(project.Err(), test.want) {
				t.Errorf("%v, %v; want %v", err, project.Err(), test.want)
			}
			if _, err := d.sync(project, everything); test.late && err != nil {
				t.Errorf("a second transfer: %v", err)
			}
		})
	}
}
