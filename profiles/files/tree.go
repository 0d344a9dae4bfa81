package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// ProjectFile is the name of the project file where no other is asked for.
const ProjectFile = "mlbuild.yaml"

// Tree is the project's files, and the report that what is wrong with them goes to. Its methods take slash paths that are relative to the project's
// directory, with the place at which the project names them.
type Tree struct {
	*yamldoc.Report
	FS    fs.FS
	Above *Above // nil = nothing above the project is known
}

var windowsPath = lazyregexp.New(`^[A-Za-z]:[\\/]`)

// Inside cleans a path of the project, and refuses one that leads out of it.
func (t Tree) Inside(name string, at fault.Position, what string) (clean string, ok bool) {
	hint := "paths are relative to the project's directory and stay inside it"
	switch {
	case name == "":
		t.Specf(at, "the path of the %s is empty", what)
		return "", false
	case strings.Contains(name, "://"):
		t.Add(fault.New(fault.Context, "the %s %q is a URL; only files of the project can be used here", what, name).In(at))
		return "", false
	case path.IsAbs(name) || windowsPath.MatchString(name):
		t.Add(fault.New(fault.Context, "the %s %q is outside the project: the path is absolute", what, name).In(at).Hint("%s", hint))
		return "", false
	}
	clean = path.Clean(name)
	if !fs.ValidPath(clean) {
		t.Add(fault.New(fault.Context, "the %s %q is outside the project", what, name).In(at).Hint("%s", hint))
		return "", false
	}
	return clean, true
}

// Missing is the fault of a path that does not exist. It names a neighbour with a like name.
func (t Tree) Missing(name string, at fault.Position, what string) *fault.Fault {
	f := fault.New(fault.Context, "the %s %s does not exist", what, name).In(at)
	dir := path.Dir(name)
	entries, err := fs.ReadDir(t.FS, dir)
	if err != nil {
		return f.Hint("there is no directory %s either", dir)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := yamldoc.Nearest(path.Base(name), names); near != "" {
		f.Hint("did you mean %q?", path.Join(dir, near))
	}
	return f
}

// Follow resolves the symlinks in a path. One that leads out of the project, or round in a circle, is a fault
// that shows the chain.
func (t Tree) Follow(name string, at fault.Position) (resolved string, ok bool) {
	return t.follow(name, at, "copy what it leads to into the project, in the place of the link")
}

// follow is Follow, with the hint for a link that leads out.
func (t Tree) follow(name string, at fault.Position, hint string) (resolved string, ok bool) {
	chain := []string{name}
	for {
		link, rest := t.firstLink(name)
		if link == "" {
			return name, true
		}
		to, err := fs.ReadLink(t.FS, link)
		if err != nil {
			t.Add(fault.New(fault.Context, "the symlink %s cannot be read: %w", link, err).In(at))
			return "", false
		}
		next := path.Join(path.Dir(link), to, rest)
		if path.IsAbs(to) {
			next = path.Join(to, rest)
		}
		circle := slices.Contains(chain, next) || len(chain) > 40
		chain = append(chain, next)
		if t.leadsOut(chain[0], next) {
			t.Add(fault.New(fault.Context, "a symlink leads out of the project: %s", strings.Join(chain, " → ")).In(at).
				Hint("%s", hint))
			return "", false
		}
		if circle {
			t.Add(fault.New(fault.Context, "symlinks lead round in a circle: %s", strings.Join(chain, " → ")).In(at))
			return "", false
		}
		name = next
	}
}

// firstLink splits a path at its first component that is a symlink; link is "" if there is none.
func (t Tree) firstLink(name string) (link, rest string) {
	parts := strings.Split(name, "/")
	for i := range parts {
		if parts[i] == ".." {
			continue // above the project
		}
		prefix := path.Join(parts[:i+1]...)
		info, err := fs.Lstat(t.FS, prefix)
		if err != nil {
			return "", ""
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return prefix, path.Join(parts[i+1:]...)
		}
	}
	return "", ""
}

// SmallFile reads a text file of the project, at most 1 MiB.
func (t Tree) SmallFile(name string, at fault.Position, what string) ([]byte, bool) {
	return t.FileUpTo(name, at, what, yamldoc.MaxFileBytes)
}

// FileUpTo reads a text file of the project of at most limit bytes, a whole number of MiB, as UTF-8 (see Text).
func (t Tree) FileUpTo(name string, at fault.Position, what string, limit int) ([]byte, bool) {
	real, ok := t.Follow(name, at)
	if !ok {
		return nil, false
	}
	f, err := t.FS.Open(real)
	if errors.Is(err, fs.ErrNotExist) {
		t.Add(t.Missing(name, at, what))
		return nil, false
	}
	var data []byte
	if err == nil {
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	}
	if err != nil {
		t.Add(fault.New(fault.Context, "the %s %s cannot be read: %w", what, name, err).In(at))
		return nil, false
	}
	if len(data) > limit {
		t.Add(fault.New(fault.Context, "the %s %s is larger than %d MiB", what, name, limit>>20).In(at))
		return nil, false
	}
	return Text(data), true
}

// Entries lists what lies at the top of the project, sorted by name; nothing where it cannot be read.
func (t Tree) Entries() []fs.DirEntry {
	entries, err := fs.ReadDir(t.FS, ".")
	if err != nil {
		return nil
	}
	return entries
}

// Exists reports whether a path of the project, links followed, leads to something.
func (t Tree) Exists(name string) bool {
	_, err := fs.Stat(t.FS, name)
	return err == nil
}

// SumOf is the sha256 (hex) of a file of the project.
func (t Tree) SumOf(name string, at fault.Position) (string, bool) {
	f, err := t.FS.Open(name)
	if err == nil {
		defer f.Close()
		h := sha256.New()
		if _, err = io.Copy(h, f); err == nil {
			return hex.EncodeToString(h.Sum(nil)), true
		}
	}
	t.Add(fault.New(fault.Context, "%s cannot be read: %w", name, err).In(at))
	return "", false
}
