package deb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// writer writes the files of one package. Paths are relative to the root, through the base's links already.
type writer struct {
	root     *os.Root
	options  Options
	links    LinkTable
	rep      *report
	done     *Installed
	replaces bool            // the package declares that it replaces files of others
	dirs     map[string]*Dir // directories that were made or checked; nil = no mode known yet
	seen     map[string]Kind // what the package has
	docs     map[string]bool // absolute paths that were left out
}

func (w *writer) leftOut(e *entry) {
	if w.docs == nil {
		w.docs = map[string]bool{}
	}
	w.docs[e.Path] = true
}

// makeParents makes the directories above a path. One that is a symbolic link, of this package or another, is refused: what
// is behind it may lie anywhere.
func (w *writer) makeParents(at string) error {
	dir := path.Dir(at)
	if _, ok := w.dirs[dir]; ok {
		return nil
	}
	if dir != "." {
		if err := w.makeParents(dir); err != nil {
			return err
		}
	}
	return w.makeDir(dir, nil)
}

// folder makes a directory that the package lists.
func (w *writer) folder(at string, e *entry) error {
	if err := w.makeParents(at); err != nil {
		return err
	}
	return w.makeDir(at, &Dir{Mode: e.Mode, UID: e.UID, GID: e.GID})
}

// makeDir makes a directory whose parents exist. own is what the package says of it, nil if it does not list it.
func (w *writer) makeDir(dir string, own *Dir) error {
	made := false
	switch info, err := w.root.Lstat(dir); {
	case err == nil && info.Mode().Type() == fs.ModeSymlink:
		return fmt.Errorf("the path goes through the symbolic link /%s", dir)
	case err == nil && !info.IsDir():
		return fmt.Errorf("/%s is needed as a directory, but is a file", dir)
	case errors.Is(err, fs.ErrNotExist):
		if err := w.root.Mkdir(dir, 0o755); err != nil {
			return writeError{err}
		}
		made = true
	case err != nil:
		return writeError{err}
	}
	want := own
	if w.options.Dir != nil {
		if d, ok := w.options.Dir("/" + strings.TrimPrefix(dir, ".")); ok {
			want = &d
		}
	}
	if want == nil && made {
		want = &Dir{Mode: 0o755}
	}
	if _, known := w.dirs[dir]; !known || want != nil {
		w.dirs[dir] = want
	}
	if want == nil {
		return nil
	}
	return w.own(dir, want.Mode, want.UID, want.GID)
}

// sortedDirs lists the touched directories, parents first.
func (w *writer) sortedDirs() []string { return slices.Sorted(maps.Keys(w.dirs)) }

// own sets owner and mode of a file or directory, in this order: a change of the owner clears setuid.
func (w *writer) own(at string, mode uint32, uid, gid int) error {
	if err := w.chown(at, uid, gid); err != nil {
		return err
	}
	if err := w.root.Chmod(at, fileMode(mode)); err != nil {
		return writeError{err}
	}
	return nil
}

// chown gives a file its owner if it has another one, as files in a setgid directory have.
func (w *writer) chown(at string, uid, gid int) error {
	info, err := w.root.Lstat(at)
	if err != nil {
		return writeError{err}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid && int(st.Gid) == gid {
		return nil
	}
	if err := w.root.Lchown(at, uid, gid); err != nil {
		return writeError{err}
	}
	return nil
}

// fileMode is a mode of tar as Go writes it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for i, flag := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if mode&(0o1000<<i) != 0 {
			m |= flag
		}
	}
	return m
}

// makeRoom looks what is in the place of a file: nothing, or one of another package, which goes if this one replaces it.
func (w *writer) makeRoom(at string) error {
	info, err := w.root.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return writeError{err}
	case info.IsDir():
		return errors.New("a directory of this name is there already")
	case !w.replaces:
		return fault.New(fault.Deb, "%s: /%s is there already, from another package of the image", w.rep.deb, at).
			Hint("the two packages cannot be in one image; leave one of them out")
	}
	if err := w.root.Remove(at); err != nil {
		return writeError{err}
	}
	return nil
}

func (w *writer) regular(at string, e *entry, contents io.Reader) error {
	if err := w.makeRoom(at); err != nil {
		return err
	}
	out, err := w.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return writeError{err}
	}
	n, err := io.Copy(onlyWriter{out}, contents)
	if late := out.Close(); err == nil && late != nil {
		err = writeError{late}
	}
	if err != nil {
		return err
	}
	if err := w.own(at, e.Mode, e.UID, e.GID); err != nil {
		return err
	}
	if err := w.root.Chtimes(at, e.time, e.time); err != nil {
		return writeError{err}
	}
	w.done.Bytes += n
	return nil
}

// onlyWriter marks errors of the file that is written.
type onlyWriter struct{ to io.Writer }

func (o onlyWriter) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil {
		err = writeError{err}
	}
	return n, err
}

func (w *writer) symlink(at string, e *entry) error {
	if err := w.makeRoom(at); err != nil {
		return err
	}
	if err := w.root.Symlink(e.Link, at); err != nil {
		return writeError{err}
	}
	if err := w.chown(at, e.UID, e.GID); err != nil {
		return err
	}
	return w.linkTime(at, e)
}

// linkTime sets the time of a symbolic link itself.
func (w *writer) linkTime(at string, e *entry) error {
	dir, err := w.root.Open(path.Dir(at))
	if err != nil {
		return writeError{err}
	}
	defer dir.Close()
	when := unix.NsecToTimespec(e.time.UnixNano())
	if err := unix.UtimesNanoAt(int(dir.Fd()), path.Base(at), []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return writeError{err}
	}
	return nil
}

// hardlink makes a second name of a regular file that the package has before it.
func (w *writer) hardlink(at string, e *entry) error {
	if w.docs[e.Link] {
		return fmt.Errorf("it is a hard link to %s, which is left out", e.Link)
	}
	to, err := w.links.Resolve(e.Link)
	if err != nil {
		return err
	}
	to = strings.TrimPrefix(to, "/")
	if kind := w.seen[to]; kind != Regular && kind != Hardlink {
		return fmt.Errorf("it is a hard link to %q, which is no file before it", e.Link)
	}
	if err := w.makeRoom(at); err != nil {
		return err
	}
	if err := w.root.Link(to, at); err != nil {
		return writeError{err}
	}
	return nil
}
