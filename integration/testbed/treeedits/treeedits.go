// Package treeedits changes a tree of files at random, as people and their tools do, so that tests can ask who notices. A directory and a source of random numbers come
// in; the tree is another one afterwards, and the name of what was done comes out.
package treeedits

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// LongAgo is the time of every file that is written here, as of a checkout whose times were set: by tar, git archive, Bazel, Nix.
var LongAgo = time.Unix(1_700_000_000, 0)

// Tree is a project that is edited at random.
type Tree struct {
	Root string
	Rand *rand.Rand
}

// edits are the ways in which a tree is changed, none of which leaves a trace in sizes and times where that can be helped.
var edits = map[string]func(Tree) error{
	"other bytes":         func(t Tree) error { return t.Write(t.file(), t.bytes()) },
	"bytes exchanged":     func(t Tree) error { return t.exchange(t.file(), t.file()) },
	"a byte more":         func(t Tree) error { return t.Write(t.file(), t.bytes()+"x") },
	"emptied":             func(t Tree) error { return t.Write(t.file(), "") },
	"written as it was":   func(t Tree) error { return t.again(t.file()) },
	"touched":             func(t Tree) error { now := time.Now(); return os.Chtimes(t.file(), now, now) },
	"executable":          func(t Tree) error { return os.Chmod(t.file(), 0o755) },
	"private":             func(t Tree) error { return os.Chmod(t.file(), 0o600) },
	"gone":                func(t Tree) error { return os.Remove(t.file()) },
	"renamed":             func(t Tree) error { return os.Rename(t.file(), t.name()) },
	"added":               func(t Tree) error { return t.Write(t.name(), t.bytes()) },
	"a link in its place": func(t Tree) error { f := t.file(); _ = os.Remove(f); return os.Symlink(t.bytes(), f) },
	"a directory in its place": func(t Tree) error {
		f := t.file()
		_ = os.Remove(f)
		if err := os.Mkdir(f, 0o755); err != nil {
			return err
		}
		return t.Write(filepath.Join(f, "in"), t.bytes())
	},
	"a file in place of a directory": func(t Tree) error { d := t.dir(); _ = os.RemoveAll(d); return t.Write(d, t.bytes()) },
	"a hard link":                    func(t Tree) error { return os.Link(t.file(), t.name()) },
	"no hard link any more": func(t Tree) error {
		f := t.file()
		data, _ := os.ReadFile(f)
		_ = os.Remove(f)
		return t.Write(f, string(data))
	},
	"a directory renamed": func(t Tree) error { return os.Rename(t.dir(), t.name()) },
	"a directory's mode":  func(t Tree) error { return os.Chmod(t.dir(), 0o700) },
	"an empty directory":  func(t Tree) error { return os.Mkdir(t.name(), 0o755) },
	"a directory gone":    func(t Tree) error { return os.RemoveAll(t.dir()) },
	"a fresh checkout":    func(t Tree) error { return t.checkout() },
}

// Fill writes n files into three directories.
func (t Tree) Fill(n int) error {
	for i := range n {
		if err := t.Write(filepath.Join(t.Root, fmt.Sprint("d", i%3), fmt.Sprint("f", i)), t.bytes()); err != nil {
			return err
		}
	}
	return nil
}

// Edit changes the tree in one way and returns its name, or "" if this tree cannot be changed so.
func (t Tree) Edit() string {
	names := slices.Sorted(maps.Keys(edits))
	name := names[t.Rand.Intn(len(names))]
	if edits[name](t) != nil {
		return ""
	}
	return name
}

// Write writes a file, and its directories, with the time LongAgo.
func (t Tree) Write(name, data string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		return err
	}
	return os.Chtimes(name, LongAgo, LongAgo)
}

func (t Tree) bytes() string { return fmt.Sprintf("%06d", t.Rand.Intn(1_000_000)) }

func (t Tree) pick(want func(fs.DirEntry) bool) string {
	var all []string
	_ = filepath.WalkDir(t.Root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && p != t.Root && want(d) {
			all = append(all, p)
		}
		return nil
	})
	if len(all) == 0 {
		return filepath.Join(t.Root, "none")
	}
	return all[t.Rand.Intn(len(all))]
}

func (t Tree) file() string { return t.pick(func(d fs.DirEntry) bool { return d.Type().IsRegular() }) }
func (t Tree) dir() string  { return t.pick(fs.DirEntry.IsDir) }

// name is a name that the tree does not have yet.
func (t Tree) name() string {
	parent := t.Root
	if t.Rand.Intn(2) == 0 {
		if d := t.dir(); filepath.Base(d) != "none" {
			parent = d
		}
	}
	return filepath.Join(parent, fmt.Sprintf("%c[%d] ü", 'a'+t.Rand.Intn(26), t.Rand.Intn(1000)))
}

func (t Tree) exchange(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if err := t.Write(a, string(y)); err != nil {
		return err
	}
	return t.Write(b, string(x))
}

func (t Tree) again(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return t.Write(name, string(data))
}

// checkout puts the same files there anew.
func (t Tree) checkout() error {
	other := t.Root + ".new"
	if err := os.CopyFS(other, os.DirFS(t.Root)); err != nil {
		return err
	}
	if err := os.RemoveAll(t.Root); err != nil {
		return err
	}
	return os.Rename(other, t.Root)
}
