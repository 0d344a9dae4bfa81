package runner

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlbuild/mlbuild/llb/step"
)

// collector is a step.Collection at work.
type collector struct {
	step.Collection
	values []needle
	dirs   []string // made so far, parents first
}

// Collect makes the layer. Its error begins with step.MissingCode where a file is not there, with step.LeakCode where one holds a secret's value.
func Collect(c step.Collection) error {
	values, err := needles(c.Secrets)
	if err != nil {
		return err
	}
	w := &collector{Collection: c, values: values}
	for _, d := range c.Dirs {
		if err := w.mkdir(filepath.Join(c.Out, d.Path), d.Mode, d.UID, d.GID); err != nil {
			return err
		}
	}
	for _, f := range c.Files {
		if err := w.take(f); err != nil {
			return err
		}
	}
	for i := len(w.dirs) - 1; i >= 0; i-- {
		if err := w.setTime(w.dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// take copies all that a rule names.
func (w *collector) take(f step.File) error {
	found, err := w.find(f.From)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("%s: %s made nothing at %s; %s", step.MissingCode, w.Step, f.From, w.nearby(f.From))
	}
	for _, name := range found {
		to := filepath.Join(w.Out, f.To)
		if strings.HasSuffix(f.To, "/") {
			to = filepath.Join(w.Out, f.To, filepath.Base(name))
		}
		from := name
		if !strings.ContainsAny(f.From, "*?[") { // a link that is named stands for what it points to
			if from, err = resolve(w.In, name, true); err != nil {
				return err
			}
		}
		if err := w.copy(filepath.Join(w.In, from), to, f); err != nil {
			return err
		}
	}
	return nil
}

// nearby lists what is in the nearest directory above a path that is there.
func (w *collector) nearby(name string) string {
	const most = 10
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		at, err := resolve(w.In, dir, true)
		if err == nil {
			entries, err := os.ReadDir(filepath.Join(w.In, at))
			if err == nil {
				var names []string
				for _, e := range entries[:min(most, len(entries))] {
					names = append(names, e.Name())
				}
				if len(entries) > most {
					names = append(names, fmt.Sprintf("and %d more", len(entries)-most))
				}
				if len(names) == 0 {
					return dir + " is empty"
				}
				return dir + " has " + strings.Join(names, ", ")
			}
		}
		if dir == "/" {
			return "nothing can be read there"
		}
	}
}

// copy copies a file, link or tree.
func (w *collector) copy(from, to string, f step.File) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	shown := "/" + strings.TrimPrefix(strings.TrimPrefix(to, w.Out), "/")
	if there, err := w.packaged(from, shown, info, f); err != nil || there {
		return err
	}
	if !info.IsDir() {
		if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return w.tree(from, to, info, f)
	case mode&fs.ModeSymlink != 0:
		return w.link(from, to, shown, info, f)
	case mode.IsRegular():
		return w.regular(from, to, shown, info, f)
	}
	return fmt.Errorf("%s: %s made %s, which is neither file, directory nor link", step.MissingCode, w.Step, shown)
}

func (w *collector) tree(from, to string, info fs.FileInfo, f step.File) error {
	mode := uint32(info.Mode().Perm())
	if f.Mode != nil {
		mode = *f.Mode | *f.Mode&0o444>>2
	}
	if theirs, is := w.packageDir(to); is {
		mode = theirs
	}
	if _, err := os.Lstat(to); os.IsNotExist(err) {
		if err := w.mkdir(to, mode, f.UID, f.GID); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.copy(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), f); err != nil {
			return err
		}
	}
	return nil
}

func (w *collector) link(from, to, shown string, info fs.FileInfo, f step.File) error {
	if err := search(from, shown, info, w.values); err != nil {
		return err
	}
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, to); err != nil {
		return err
	}
	if err := os.Lchown(to, f.UID, f.GID); err != nil {
		return err
	}
	return w.setTime(to)
}

func (w *collector) regular(from, to, shown string, info fs.FileInfo, f step.File) error {
	if id := holds(w.values, shown); id != "" {
		return leak{"the name of a file", id}
	}
	mode := uint32(info.Mode().Perm())
	if f.Mode != nil {
		mode = *f.Mode
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	found := &scanner{needles: w.values}
	var data io.Reader = in
	if len(w.values) > 0 {
		data = io.TeeReader(in, found)
	}
	if _, err := io.Copy(out, data); err != nil {
		return err
	}
	if found.found != "" {
		return leak{shown, found.found}
	}
	if err := out.Chown(f.UID, f.GID); err != nil {
		return err
	}
	if err := out.Chmod(fs.FileMode(mode)); err != nil {
		return err
	}
	return w.setTime(to)
}

func (w *collector) mkdir(name string, mode uint32, uid, gid int) error {
	if err := os.Mkdir(name, 0o700); err != nil {
		return err
	}
	if err := os.Lchown(name, uid, gid); err != nil {
		return err
	}
	w.dirs = append(w.dirs, name)
	return os.Chmod(name, fs.FileMode(mode))
}

func (w *collector) setTime(name string) error {
	at := unix.NsecToTimespec(time.Unix(w.Time, 0).UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}
