package ops

import (
	"cmp"
	"io/fs"
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// DirTable is the one table of directories → mode and owner. Every layer writes its parent directories from it, because
// a directory entry in a later layer wins over an earlier one.
type DirTable []recipe.Dir

// Set returns the table with the entry, in place of one for the same path.
func (t DirTable) Set(d recipe.Dir) DirTable {
	d.Path = path.Clean(d.Path)
	t = slices.DeleteFunc(t, func(e recipe.Dir) bool { return e.Path == d.Path })
	return append(t, d)
}

// Lookup returns the entry of a directory. One that the table does not name belongs to whoever owns the nearest parent that
// it does name; outside all of them it is root's.
func (t DirTable) Lookup(p string) recipe.Dir {
	for at := p; at != "/" && at != "."; at = path.Dir(at) {
		i := slices.IndexFunc(t, func(e recipe.Dir) bool { return e.Path == at })
		switch {
		case i >= 0 && at == p:
			return t[i]
		case i >= 0:
			return recipe.Dir{Path: p, Mode: 0o755, UID: t[i].UID, GID: t[i].GID}
		}
	}
	return recipe.Dir{Path: p, Mode: 0o755}
}

// Chain lists the given directories and all their parents, parents first, each once.
func (t DirTable) Chain(dirs ...string) []recipe.Dir {
	var all []recipe.Dir
	for _, d := range dirs {
		for at := path.Clean(d); at != "/" && at != "."; at = path.Dir(at) {
			all = append(all, t.Lookup(at))
		}
	}
	byPath := func(a, b recipe.Dir) int { return cmp.Compare(a.Path, b.Path) }
	slices.SortFunc(all, byPath)
	return slices.CompactFunc(all, func(a, b recipe.Dir) bool { return a.Path == b.Path })
}

// Mkdirs makes the directories on the state, each as the table says.
func (t DirTable) Mkdirs(dirs ...string) *Actions {
	a := &Actions{Last: bkllb.Mkdir("/", 0o755, bkllb.WithParents(true))} // exists already: only the start of a chain
	for _, d := range t.Chain(dirs...) {
		a.Mkdir(d)
	}
	return a
}

// Actions collects file actions, so that all of them become one vertex.
type Actions struct{ Last *bkllb.FileAction }

// Mkdir makes a directory with its mode and owner.
func (a *Actions) Mkdir(d recipe.Dir) {
	a.Last = a.Last.Mkdir(d.Path, fileMode(d.Mode), bkllb.WithUIDGID(d.UID, d.GID), bkllb.WithCreatedTime(wheel.ModTime))
}

// Mkfile writes a file of root, mode 0644.
func (a *Actions) Mkfile(p, data string) {
	a.Last = a.Last.Mkfile(p, 0o644, []byte(data), bkllb.WithCreatedTime(wheel.ModTime))
}

// Symlink makes a link at link that points to target.
func (a *Actions) Symlink(target, link string) {
	a.Last = a.Last.Symlink(target, link, bkllb.WithCreatedTime(wheel.ModTime))
}

// Copy copies src of another state to dst, with an owner by uid and gid.
func (a *Actions) Copy(from bkllb.CopyInput, src, dst string, info *bkllb.CopyInfo, uid, gid int) {
	opts := []bkllb.CopyOption{info, bkllb.WithUIDGID(uid, gid), bkllb.WithCreatedTime(wheel.ModTime)}
	a.Last = a.Last.Copy(from, src, dst, opts...)
}

// Settle gives directories that files were put into their fixed time again; the root has no entry in a layer. A copy onto a directory that is there sets its
// time and leaves its mode and owner (fsutil, copy/copy.go), so nothing is copied a second time.
func (a *Actions) Settle(g Group, dirs []recipe.Dir) {
	empty := bkllb.Scratch().File(bkllb.Mkdir("/empty", 0o755, bkllb.WithCreatedTime(wheel.ModTime)), g.Named("an empty directory"))
	for _, d := range dirs {
		a.Last = a.Last.Copy(empty, "/empty", d.Path, &bkllb.CopyInfo{CopyDirContentsOnly: true}, bkllb.WithCreatedTime(wheel.ModTime))
	}
}

func fileMode(bits int) fs.FileMode { return fs.FileMode(uint32(bits) & 0o777) }
