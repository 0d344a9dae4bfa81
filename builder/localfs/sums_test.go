package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tonistiigi/fsutil"
)

// TestSumsOfLargeFiles are read once, and again where anything says that the file may be another.
func TestSumsOfLargeFiles(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"model": strings.Repeat("x", 2<<20), "small": "x"})
	walk := func(now time.Time) *Dir {
		project := open(t, dir, state)
		project.sums.clock = now
		if _, _, err := project.walk(t.Context(), everything); err != nil {
			t.Fatal(err)
		}
		if err := project.Close(); err != nil {
			t.Fatal(err)
		}
		return project
	}
	if first := walk(time.Now().Add(2 * tick)); len(first.sums.files) != 1 || !first.sums.fresh {
		t.Fatalf("remembered: %v", first.sums.files)
	}
	if second := walk(time.Time{}); len(second.sums.files) != 1 || second.sums.fresh {
		t.Errorf("read again: %v", second.sums.files)
	}
	write(t, dir, map[string]string{"model": strings.Repeat("y", 2<<20)}) // same size, same time; ctime is new
	if third := walk(time.Time{}); len(third.sums.files) != 1 || third.sums.fresh {
		t.Error("a file that was changed a moment ago is remembered")
	}
	want, _ := sumOf(strings.NewReader(strings.Repeat("y", 2<<20)), 2<<20)
	_, sums, err := open(t, dir, state).walk(t.Context(), everything)
	if err != nil || sums["model"] != want {
		t.Errorf("the sum is that of the file before: %v", err)
	}
	for _, damaged := range []string{"", "{", `{"model":{"sha256":"zz"}}`, "[]"} {
		if err := os.WriteFile(open(t, dir, state).sums.path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, sums, err := open(t, dir, state).walk(t.Context(), everything); err != nil || sums["model"] != want {
			t.Errorf("with the list %q: %v", damaged, err)
		}
	}
}

// TestSumsAboveTheProject: large files of a workspace's packages are read once too.
func TestSumsAboveTheProject(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	write(t, root, map[string]string{"libs/kit/model": strings.Repeat("x", 2<<20), "services/api/main.py": "x"})
	walk := func() *Dir {
		project := open(t, filepath.Join(root, "services/api"), state)
		if err := project.Above(2); err != nil {
			t.Fatal(err)
		}
		project.sums.clock = time.Now().Add(2 * tick)
		if _, _, err := project.walk(t.Context(), Selection{Paths: []string{"libs/kit"}, Up: 2}); err != nil {
			t.Fatal(err)
		}
		if err := project.Close(); err != nil {
			t.Fatal(err)
		}
		return project
	}
	walk()
	if second := walk(); len(second.sums.files) != 1 || second.sums.fresh {
		t.Errorf("read again: %v", second.sums.files)
	}
}

func BenchmarkWalk(b *testing.B) {
	for _, n := range []int{100, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			for i := range n {
				p := filepath.Join(dir, fmt.Sprint(i%100), fmt.Sprint(i, ".py"))
				if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, make([]byte, 4096), 0o644)); err != nil {
					b.Fatal(err)
				}
			}
			d, err := Open(dir, b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			root := fsutil.NewRootFS(fsutil.NewRoot(d.root))
			b.Run("by-contents", func(b *testing.B) {
				for b.Loop() {
					if _, _, err := d.walk(b.Context(), everything); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("by-size-and-time", func(b *testing.B) {
				for b.Loop() {
					if err := root.Walk(b.Context(), "/", func(string, fs.DirEntry, error) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
