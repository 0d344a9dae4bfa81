package state

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/pattern"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxFile bounds what is read of the base or a package, in bytes.
const maxFile = 64 << 20

// Image is what the effects meet.
type Image struct {
	// Base has the base's etc/passwd, etc/group, etc/shadow, etc/gshadow and var/lib/dpkg/alternatives. What is missing
	// counts as empty.
	Base fs.FS
	// Packages has the files of those packages whose scripts had the effects, as they were laid down.
	Packages fs.FS
	// Links are those through which the packages were laid down: scripts name files by the paths that the packages have, /bin/nano for usr/bin/nano.
	Links deb.LinkTable
}

// through takes a path of a script to where the file lies, without the slash.
func (i Image) through(p string) (string, error) {
	to, err := i.Links.Resolve(path.Clean("/" + p))
	if err != nil {
		return "", fault.New(fault.Deb, "%w", err)
	}
	return strings.TrimPrefix(to, "/"), nil
}

// packaged describes the file of a package at a path of a script. The error is fs.ErrNotExist where there is none.
func (i Image) packaged(p string) (fs.FileInfo, error) {
	at, err := i.through(p)
	if err != nil {
		return nil, err
	}
	return fs.Lstat(i.Packages, at)
}

// Files makes the files of the system state, sorted by path: one layer over the base and the packages. The same effects on
// the same image give the same files. A user that the base has stays as it is; fault.Deb where effects contradict each other
// or the base.
func Files(e Effects, img Image) ([]deb.Made, error) {
	t := &tree{img: img, made: map[string]deb.Made{}}
	for _, step := range []func(Effects) error{t.accounts, t.dirs, t.alternatives, t.copies, t.owners, t.certificates, t.links} {
		if err := step(e); err != nil {
			return nil, err
		}
	}
	for _, f := range e.Files {
		t.file(f.Path, f.Text, 0o644, 0, 0)
	}
	all := make([]deb.Made, 0, len(t.made))
	for _, f := range t.made { // sorted below
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b deb.Made) int { return cmp.Compare(a.Path, b.Path) })
	return all, nil
}

// tree collects what is made.
type tree struct {
	img    Image
	made   map[string]deb.Made
	passwd *database
	group  *database
}

func (t *tree) link(p, target string) {
	t.made[p] = deb.Made{File: deb.File{Path: p, Kind: deb.Symlink, Mode: 0o777, Link: target}}
}

func (t *tree) file(p, text string, mode uint32, uid, gid int) {
	t.made[p] = deb.Made{File: deb.File{Path: p, Kind: deb.Regular, Mode: mode, UID: uid, GID: gid, Size: int64(len(text))}, Data: []byte(text)}
}

// text returns a file of the packages, by the path that a script names.
func (i Image) text(p string) (string, error) {
	at, err := i.through(p)
	if err != nil {
		return "", err
	}
	return read(i.Packages, at)
}

// read returns a file of an image's part, "" if it is missing.
func read(from fs.FS, p string) (string, error) {
	p = strings.TrimPrefix(p, "/")
	info, err := fs.Stat(from, p)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil && info.Size() > maxFile {
		return "", fault.New(fault.Deb, "/%s has %d bytes, more than the %d that are allowed", p, info.Size(), maxFile)
	}
	if err != nil {
		return "", fault.New(fault.Internal, "look at /%s: %w", p, err)
	}
	data, err := fs.ReadFile(from, p)
	if err != nil {
		return "", fault.New(fault.Internal, "read /%s: %w", p, err)
	}
	return string(data), nil
}

// exists reports whether the packages or the base have a path. A link counts, wherever it leads.
func (t *tree) exists(p string) bool {
	at, err := t.img.through(p)
	if err != nil {
		return false
	}
	for _, from := range []fs.FS{t.img.Packages, t.img.Base} {
		if _, err := fs.Lstat(from, at); err == nil {
			return true
		}
	}
	return false
}

// links makes the links of scripts, but for those whose place is a package's own file: where /bin is /usr/bin, the link that zsh makes
// of /usr/bin/zsh to its /bin/zsh would stand in the place of the program.
func (t *tree) links(e Effects) error {
	for _, l := range e.Links {
		dir, err := t.img.through(path.Dir(l.Path))
		if err != nil {
			return err
		}
		if _, err := fs.Lstat(t.img.Packages, path.Join(dir, path.Base(l.Path))); err != nil {
			t.link(l.Path, l.Target)
		}
	}
	return nil
}

func (t *tree) dirs(e Effects) error {
	for _, d := range e.Dirs {
		uid, gid, err := t.ids(d.User, d.Group)
		if err != nil {
			return err
		}
		t.made[d.Path] = deb.Made{File: deb.File{Path: d.Path, Kind: deb.Folder, Mode: d.Mode, UID: uid, GID: gid}}
	}
	return nil
}

// owners copies files of packages that get another owner or mode, and makes their directories anew.
func (t *tree) owners(e Effects) error {
	for _, o := range e.Owners {
		uid, gid, err := t.ids(o.User, o.Group)
		if err != nil {
			return err
		}
		info, err := t.img.packaged(o.Path)
		switch {
		case err == nil && info.IsDir():
			t.made[o.Path] = deb.Made{File: deb.File{Path: o.Path, Kind: deb.Folder, Mode: o.Mode, UID: uid, GID: gid}}
			continue
		case err != nil || !info.Mode().IsRegular():
			return fault.New(fault.Deb, "%s of %s is to belong to %s:%s, but is no file of the package", o.Path, o.Package, o.User, o.Group)
		}
		text, err := t.img.text(o.Path)
		if err != nil {
			return err
		}
		t.file(o.Path, text, o.Mode, uid, gid)
	}
	return nil
}

// copies makes files from others of the packages.
func (t *tree) copies(e Effects) error {
	for _, c := range e.Copies {
		info, err := t.img.packaged(c.From)
		if err != nil || !info.Mode().IsRegular() {
			return fault.New(fault.Deb, "%s is to be made from %s, which is no file of a package", c.Path, c.From)
		}
		text, err := t.img.text(c.From)
		if err != nil {
			return err
		}
		t.file(c.Path, text, uint32(info.Mode().Perm()), 0, 0)
	}
	return nil
}

// Conflicts lists those of paths, absolute ones that an image has, at which a script took it for granted that there is
// nothing. The package whose effects these are must then go the dpkg way. Give neither the package's own files nor those
// made by Files.
func (e Effects) Conflicts(paths []string) []string {
	plain := map[string]bool{}
	var patterns []*regexp.Regexp
	for _, p := range e.Absent {
		if !pattern.HasMeta(p, 0) {
			plain[p] = true
		} else if re, err := absentPattern(p); err == nil {
			patterns = append(patterns, re)
		}
	}
	var found []string
	for _, p := range paths {
		if plain[path.Clean(p)] || slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(p) }) {
			found = append(found, p)
		}
	}
	return found
}

func absentPattern(p string) (*regexp.Regexp, error) {
	expr, err := pattern.Regexp(p, pattern.EntireString|pattern.Filenames)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(expr)
}
