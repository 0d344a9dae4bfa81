package deb

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Options say how a package is laid down.
type Options struct {
	// Arch is the architecture of the image as Debian names it ("amd64"). Packages of another one are refused, except "all".
	// "" takes any.
	Arch string
	// Links are the base's symbolic links of directories, path → target: "bin" → "usr/bin", "var/run" → "/run". Paths of the
	// package go through them. Nil on a base whose /bin and /lib are directories.
	Links map[string]string
	// SlimDocs leaves out manual pages, documentation and translations, as Debian's slim images do; copyright files stay.
	SlimDocs bool
	// Dir returns mode and owner of a directory by its absolute path. One that it does not know gets the package's. Nil = none known.
	Dir func(path string) (Dir, bool)
	// DirTime is the time of every directory that is touched. The zero value is 1970.
	DirTime time.Time
	// Without are absolute paths, as the package has them, that are not written: its script would remove them.
	Without []string
	// MaxBytes bounds the unpacked size, 0 = 16 GiB.
	MaxBytes int64
}

// Dir is how a directory is made.
type Dir struct {
	Mode uint32 // permission bits with setuid, setgid and sticky
	UID  int
	GID  int
}

// Installed is what Install did.
type Installed struct {
	Package string
	Version string
	Arch    string
	Files   int   // written, without directories
	Bytes   int64 // of regular files, written
	LeftOut int   // files that SlimDocs left out
}

// Install writes the files of a package below root, the root directory of an image, and its record for scanners (see
// recordDir). Directories on the way are made. Regular files and symbolic links keep mode, owner (the archive's numbers, not
// its names) and time (whole seconds, not before 1970) of the archive, setuid and setgid included. Call it as root.
//
// Several packages may be laid into one root, one after another; a file that two have is refused unless the later one
// declares Replaces. For a malformed or hostile package it returns fault.DebUnsafe faults, for one that cannot stand in this image
// fault.Deb, for a full disk fault.Disk. After an error root holds a part of the files and must be thrown away. Nothing is ever
// written outside root, no script is run.
func Install(root *os.Root, path string, o Options) (*Installed, error) {
	a, err := open(path)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	info, err := a.info()
	if err != nil {
		return nil, err
	}
	if err := CheckArch(info, o.Arch); err != nil {
		return nil, err
	}
	links, err := NewLinkTable(o.Links)
	if err != nil {
		return nil, fault.New(fault.Usage, "links of the base: %w", err)
	}
	w := &writer{root: root, options: o, links: links, rep: a.rep, dirs: map[string]*Dir{}, seen: map[string]Kind{},
		replaces: info.Field("Replaces") != "", done: &Installed{Package: info.Package, Version: info.Version, Arch: info.Architecture}}
	if err := a.walk(o.MaxBytes, w.write); err != nil {
		return nil, err
	}
	if err := w.writeRecords(info); err != nil {
		return nil, a.rep.fault("", err)
	}
	return w.done, w.finishDirs()
}

// CheckArch refuses a package of another architecture than the image's, "" = any.
func CheckArch(info Info, arch string) error {
	if arch == "" || info.Architecture == "all" || info.Architecture == arch {
		return nil
	}
	return fault.New(fault.Deb, "%s %s is for %s, the image for %s", info.Package, info.Version, info.Architecture, arch).
		Hint("lock the system packages again for this platform: mlbuild lock --upgrade system")
}

// write writes one entry.
func (w *writer) write(e *entry, contents io.Reader) error {
	if w.options.SlimDocs && isDoc(e.File) {
		if e.Kind != Folder {
			w.done.LeftOut++
		}
		w.leftOut(e)
		return nil
	}
	if slices.Contains(w.options.Without, e.Path) && e.Kind != Folder {
		w.leftOut(e)
		return nil
	}
	at, err := w.links.place(e)
	if err != nil {
		return err
	}
	at = strings.TrimPrefix(at, "/")
	if err := w.note(at, e.Kind); err != nil {
		return err
	}
	if e.Kind == Folder {
		return w.folder(at, e)
	}
	if err := w.makeParents(at); err != nil {
		return err
	}
	switch e.Kind {
	case Symlink:
		err = w.symlink(at, e)
	case Hardlink:
		err = w.hardlink(at, e)
	default:
		err = w.regular(at, e, contents)
	}
	if err == nil {
		w.done.Files++
	}
	return err
}

// note refuses paths that the package has twice, and a file in the place of a directory.
func (w *writer) note(at string, kind Kind) error {
	if old, ok := w.seen[at]; ok && (old != Folder || kind != Folder) {
		return fmt.Errorf("it is there twice, as %s and as %s", old, kind)
	}
	w.seen[at] = kind
	return nil
}

// finishDirs sets the times of the directories, which writing into them has changed.
func (w *writer) finishDirs() error {
	at := clamp(w.options.DirTime)
	for _, dir := range slices.Backward(w.sortedDirs()) {
		if err := w.root.Chtimes(dir, at, at); err != nil {
			return ioFault(err, "set the time of a directory")
		}
	}
	return nil
}
