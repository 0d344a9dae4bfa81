package files

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Above is a directory above the project in which some of what it requires lies: the root of its workspace. Its files have names relative to the project's
// directory, ../../libs/kit.
type Above struct {
	FS  fs.FS
	Dir string // the project's directory in it, services/api
}

// Root is the project's directory, or the one above it that is known.
func (t Tree) Root() fs.FS {
	if t.Above != nil {
		return t.Above.FS
	}
	return t.FS
}

// WithAbove returns the tree with a directory above the project, nil = none. Only names that begin with .. lead there.
func (t Tree) WithAbove(a *Above) Tree {
	if a != nil {
		t.FS, t.Above = wide{t.FS, *a}, a
	}
	return t
}

// InRoot is a name of the project as it is seen from Root. One that leads out of that begins with "../".
func (t Tree) InRoot(name string) string {
	if t.Above == nil {
		return path.Clean(name)
	}
	return path.Join(t.Above.Dir, name)
}

// FromRoot is the name of what is seen from Root under another.
func (t Tree) FromRoot(name string) string {
	if t.Above == nil {
		return name
	}
	return t.Above.Names().FromRoot(name)
}

// Names are how a recipe names what lies there; nil for nil.
func (a *Above) Names() *recipe.Above {
	if a == nil {
		return nil
	}
	return &recipe.Above{Dir: a.Dir}
}

// Reaches cleans a path, and refuses one that leads out of the project and out of the directory above it, if one is known.
func (t Tree) Reaches(name string, at fault.Position, what string) (clean string, ok bool) {
	if t.Above != nil && !path.IsAbs(name) && fs.ValidPath(t.InRoot(name)) {
		return t.FromRoot(t.InRoot(name)), true
	}
	return t.Inside(name, at, what)
}

// leadsOut reports whether what a link of a path leads to lies outside: for a path of the project that is all above it.
func (t Tree) leadsOut(name, next string) bool {
	return !fs.ValidPath(next) && (fs.ValidPath(name) || path.IsAbs(next) || !fs.ValidPath(t.InRoot(next)))
}

// AsRecipe is the directory above as a recipe has it: with what its .dockerignore, and no image, leaves out. nil = there is none.
func (a *Above) AsRecipe(t Tree) *recipe.Above {
	if a == nil {
		return nil
	}
	root := Tree{Report: t.Report, FS: a.FS}
	return &recipe.Above{Dir: a.Dir, Ignore: ReadIgnores(root, nil, nil, "").Patterns}
}

// NoteLinksOut notes the links in a package's directory that lead out of it: only the directory is sent to the build. Of a very large one only the first files
// are looked at.
func (t Tree) NoteLinksOut(dir string) {
	const most, shown = 20_000, 5
	left, seen := newMatcher(t.Report, clutter), 0
	var found []string
	// What cannot be read is told where it is sent.
	_ = fs.WalkDir(t.FS, dir, func(name string, d fs.DirEntry, err error) error {
		if seen++; seen > most {
			return fs.SkipAll
		}
		if err != nil || name != dir && left.matches(name) {
			return Skip(d)
		}
		if d.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		to, err := fs.ReadLink(t.FS, name)
		if inside := path.Join(path.Dir(name), to); err == nil && (path.IsAbs(to) || inside != dir && !strings.HasPrefix(inside, dir+"/")) {
			found = append(found, name+" → "+to)
		}
		return nil
	})
	if len(found) == 0 {
		return
	}
	more := ""
	if len(found) > shown {
		found, more = found[:shown], " and more"
	}
	t.Notef("links out of the package %s: %s%s; its build gets the directory alone, and they lead nowhere there", dir, strings.Join(found, ", "), more)
}

// wide is the project's directory in which names that begin with .. lead into the one above.
type wide struct {
	project fs.FS
	above   Above
}

func (w wide) place(op, name string) (fs.FS, string, error) {
	if fs.ValidPath(name) {
		return w.project, name, nil
	}
	if clean := path.Clean(name); clean == name && strings.HasPrefix(name, "..") {
		if inside := path.Join(w.above.Dir, name); fs.ValidPath(inside) {
			return w.above.FS, inside, nil
		}
	}
	return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
}

// renamed puts the name that was asked for into an error.
func renamed(err error, name string) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: p.Op, Path: name, Err: p.Err}
	}
	return err
}

// Open implements fs.FS.
func (w wide) Open(name string) (fs.File, error) {
	at, inside, err := w.place("open", name)
	if err != nil {
		return nil, err
	}
	f, err := at.Open(inside)
	return f, renamed(err, name)
}

// Stat implements fs.StatFS.
func (w wide) Stat(name string) (fs.FileInfo, error) {
	at, inside, err := w.place("stat", name)
	if err != nil {
		return nil, err
	}
	info, err := fs.Stat(at, inside)
	return info, renamed(err, name)
}

// Lstat implements fs.ReadLinkFS.
func (w wide) Lstat(name string) (fs.FileInfo, error) {
	at, inside, err := w.place("lstat", name)
	if err != nil {
		return nil, err
	}
	info, err := fs.Lstat(at, inside)
	return info, renamed(err, name)
}

// ReadLink implements fs.ReadLinkFS.
func (w wide) ReadLink(name string) (string, error) {
	at, inside, err := w.place("readlink", name)
	if err != nil {
		return "", err
	}
	to, err := fs.ReadLink(at, inside)
	return to, renamed(err, name)
}

// ReadDir implements fs.ReadDirFS.
func (w wide) ReadDir(name string) ([]fs.DirEntry, error) {
	at, inside, err := w.place("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(at, inside)
	return entries, renamed(err, name)
}
