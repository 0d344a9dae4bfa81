package localfs

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var seed = flag.Int64("seed", 0, "of the random edits; 0 = another one in every run")

// edits are the ways in which a tree is changed, none of which leaves a trace in sizes and times where that can be helped.
var edits = map[string]func(tree) error{
	"other bytes":         func(t tree) error { return t.write(t.file(), t.bytes()) },
	"bytes exchanged":     func(t tree) error { return t.exchange(t.file(), t.file()) },
	"a byte more":         func(t tree) error { return t.write(t.file(), t.bytes()+"x") },
	"emptied":             func(t tree) error { return t.write(t.file(), "") },
	"written as it was":   func(t tree) error { return t.again(t.file()) },
	"touched":             func(t tree) error { now := time.Now(); return os.Chtimes(t.file(), now, now) },
	"executable":          func(t tree) error { return os.Chmod(t.file(), 0o755) },
	"private":             func(t tree) error { return os.Chmod(t.file(), 0o600) },
	"gone":                func(t tree) error { return os.Remove(t.file()) },
	"renamed":             func(t tree) error { return os.Rename(t.file(), t.new()) },
	"added":               func(t tree) error { return t.write(t.new(), t.bytes()) },
	"a link in its place": func(t tree) error { f := t.file(); _ = os.Remove(f); return os.Symlink(t.bytes(), f) },
	"a directory in its place": func(t tree) error {
		f := t.file()
		_ = os.Remove(f)
		if err := os.Mkdir(f, 0o755); err != nil {
			return err
		}
		return t.write(filepath.Join(f, "in"), t.bytes())
	},
	"a file in place of a directory": func(t tree) error { d := t.dir(); _ = os.RemoveAll(d); return t.write(d, t.bytes()) },
	"a hard link":                    func(t tree) error { return os.Link(t.file(), t.new()) },
	"no hard link any more": func(t tree) error {
		f := t.file()
		data, _ := os.ReadFile(f)
		_ = os.Remove(f)
		return t.write(f, string(data))
	},
	"a directory renamed": func(t tree) error { return os.Rename(t.dir(), t.new()) },
	"a directory's mode":  func(t tree) error { return os.Chmod(t.dir(), 0o700) },
	"an empty directory":  func(t tree) error { return os.Mkdir(t.new(), 0o755) },
	"a directory gone":    func(t tree) error { return os.RemoveAll(t.dir()) },
	"a fresh checkout":    func(t tree) error { return t.checkout() },
}

// tree is a project that is edited at random.
type tree struct {
	root string
	rand *rand.Rand
}

func (t tree) bytes() string { return fmt.Sprintf("%06d", t.rand.Intn(1_000_000)) }

func (t tree) write(name, data string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		return err
	}
	return os.Chtimes(name, longAgo, longAgo)
}

func (t tree) pick(want func(fs.DirEntry) bool) string {
	var all []string
	_ = filepath.WalkDir(t.root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && p != t.root && want(d) {
			all = append(all, p)
		}
		return nil
	})
	if len(all) == 0 {
		return filepath.Join(t.root, "none")
	}
	return all[t.rand.Intn(len(all))]
}

func (t tree) file() string { return t.pick(func(d fs.DirEntry) bool { return d.Type().IsRegular() }) }
func (t tree) dir() string  { return t.pick(fs.DirEntry.IsDir) }

func (t tree) new() string {
	parent := t.root
	if t.rand.Intn(2) == 0 {
		if d := t.dir(); filepath.Base(d) != "none" {
			parent = d
		}
	}
	return filepath.Join(parent, fmt.Sprintf("%c[%d] ü", 'a'+t.rand.Intn(26), t.rand.Intn(1000)))
}

func (t tree) exchange(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if err := t.write(a, string(y)); err != nil {
		return err
	}
	return t.write(b, string(x))
}

func (t tree) again(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return t.write(name, string(data))
}

// checkout puts the same files there anew.
func (t tree) checkout() error {
	other := t.root + ".new"
	if err := os.CopyFS(other, os.DirFS(t.root)); err != nil {
		return err
	}
	if err := os.RemoveAll(t.root); err != nil {
		return err
	}
	return os.Rename(other, t.root)
}

// TestRandomEdits: whatever is done to a project between two transfers, the daemon has afterwards what the project has.
func TestRandomEdits(t *testing.T) {
	s := *seed
	if s == 0 {
		s = time.Now().UnixNano()
	}
	t.Logf("-seed %d", s)
	r := rand.New(rand.NewSource(s))
	names := slices.Sorted(maps.Keys(edits))
	for round := range 60 {
		project := tree{filepath.Join(t.TempDir(), "project"), r}
		for i := range 12 {
			if err := project.write(filepath.Join(project.root, fmt.Sprint("d", i%3), fmt.Sprint("f", i)), project.bytes()); err != nil {
				t.Fatal(err)
			}
		}
		d, state := newDaemon(t), t.TempDir()
		var done []string
		for range 4 {
			before, err := Open(project.root, state)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.sync(before, everything)
			if err != nil {
				t.Fatalf("round %d, after %v: %v", round, done, err)
			}
			equal(t, got, contents(t, project.root))
			if t.Failed() {
				t.Fatalf("round %d, after %v", round, done)
			}
			_ = before.Close()
			name := names[r.Intn(len(names))]
			if err := edits[name](project); err == nil {
				done = append(done, name)
			}
		}
	}
}
