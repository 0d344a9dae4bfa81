package localfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/patternmatcher"
	"github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"
)

// readers is how many files are read at once to tell them by their contents.
const readers = 8

// walk lists what a selection has, in the order that the protocol wants (fsutil, ComparePath), and the sums of its regular files by their paths. Links to one inode
// are files of their own, as in a checkout: which of them share one is nothing that git, or another machine, knows.
func (d *Dir) walk(ctx context.Context, s Selection) ([]*types.Stat, map[string]sum, error) {
	ignore, err := patternmatcher.New(s.Ignore)
	if err != nil {
		return nil, nil, fmt.Errorf("a pattern of .dockerignore: %w", err)
	}
	root, err := d.rootOf(s)
	if err != nil {
		return nil, nil, err
	}
	roots, err := rootsOf(s, root)
	if err != nil {
		return nil, nil, err
	}
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(readers)
	w := &walker{ctx: ctx, reading: reading, dir: d, up: s.Up, ignore: ignore, onTheWay: map[string]*folder{"": {root: root, shown: true}}}
	defer w.close()
	for _, name := range roots {
		if err = w.from(name); err != nil {
			break
		}
	}
	if failed := reading.Wait(); failed != nil || err != nil {
		return nil, nil, cmp.Or(failed, err)
	}
	return w.list, w.sums(), nil
}

// walker is a walk that is under way.
type walker struct {
	ctx      context.Context //nolint:containedctx // of one walk
	reading  *errgroup.Group
	dir      *Dir
	up       int // directories above the project's that are walked in
	ignore   *patternmatcher.PatternMatcher
	onTheWay map[string]*folder // directories above the roots, open until the end
	list     []*types.Stat
	files    []*file // regular ones, each with its place in list
}

// folder is a directory of the project.
type folder struct {
	root  *os.Root
	up    *folder
	name  string // in up
	path  string // "" for the project's own
	match patternmatcher.MatchInfo
	shown bool // it is in the list: it is not ignored, or something in it is not
}

// from adds one root of the selection, by way of the directories above it.
func (w *walker) from(root string) error {
	at := w.onTheWay[""]
	if root == "." {
		return w.inside(at)
	}
	dir, name := path.Split(root)
	for _, part := range split(dir) {
		next := w.onTheWay[path.Join(at.path, part)]
		if next == nil {
			_, match, err := w.ignore.MatchesUsingParentResults(path.Join(at.path, part), at.match)
			if err != nil {
				return err
			}
			if next, err = at.open(part, match); err != nil {
				return err
			}
			w.onTheWay[next.path] = next
		}
		at = next
	}
	info, err := at.root.Lstat(name)
	if err != nil {
		return gone(err)
	}
	return w.entry(at, name, info.Mode().Type())
}

// gone passes over what was there a moment ago and is no longer.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("a file of the project: %w", err)
}

func (w *walker) close() {
	for name, f := range w.onTheWay {
		if name != "" {
			_ = f.root.Close()
		}
	}
}

func (f *folder) open(name string, match patternmatcher.MatchInfo) (*folder, error) {
	root, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open a directory of the project: %w", err)
	}
	return &folder{root: root, up: f, name: name, path: path.Join(f.path, name), match: match}, nil
}

// show adds a folder to the list, and those that it lies in.
func (w *walker) show(f *folder) error {
	if f.shown {
		return nil
	}
	if err := w.show(f.up); err != nil {
		return err
	}
	info, err := f.up.root.Lstat(f.name)
	if err != nil {
		return fmt.Errorf("a directory of the project: %w", err)
	}
	f.shown = true
	w.list = append(w.list, stat(f.path, info))
	return nil
}

// inside adds what lies in a folder.
func (w *walker) inside(f *folder) error {
	dir, err := f.root.Open(".")
	if err != nil {
		return fmt.Errorf("open a directory of the project: %w", err)
	}
	entries, err := dir.ReadDir(-1)
	_ = dir.Close()
	if err != nil {
		return fmt.Errorf("read a directory of the project: %w", err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if err := w.entry(f, e.Name(), e.Type()); err != nil {
			return err
		}
	}
	return nil
}

// entry adds one thing in a folder, unless it is ignored.
func (w *walker) entry(in *folder, name string, kind fs.FileMode) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	at := path.Join(in.path, name)
	left, match, err := w.ignore.MatchesUsingParentResults(at, in.match)
	switch {
	case err != nil:
		return err
	case kind.IsDir() && left && !w.takesBack(at), !kind.IsDir() && left:
		return nil
	case kind.IsDir():
		return w.folder(in, name, match, !left)
	case kind.IsRegular():
		return w.regular(in, name)
	}
	return w.special(in, name)
}

func (w *walker) folder(in *folder, name string, match patternmatcher.MatchInfo, show bool) error {
	f, err := in.open(name, match)
	if err != nil {
		if !show && errors.Is(err, fs.ErrPermission) && !w.names(path.Join(in.path, name)) {
			return nil // it was only looked at for exceptions with a wildcard
		}
		return err
	}
	defer f.root.Close()
	if show {
		if err := w.show(f); err != nil {
			return err
		}
	}
	return w.inside(f)
}

// names reports whether an exception names something in a directory.
func (w *walker) names(dir string) bool {
	return slices.ContainsFunc(w.ignore.Patterns(), func(p *patternmatcher.Pattern) bool {
		return p.Exclusion() && strings.HasPrefix(filepath.ToSlash(p.String()), dir+"/")
	})
}

// special adds a link or a named pipe. Sockets and devices are nothing that a project has.
func (w *walker) special(in *folder, name string) error {
	info, err := in.root.Lstat(name)
	if err != nil {
		return gone(err)
	}
	s := stat(path.Join(in.path, name), info)
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		target, err := in.root.Readlink(name)
		if err != nil {
			return gone(err)
		}
		s.Linkname = filepath.ToSlash(target)
	case fs.ModeNamedPipe:
	default:
		return nil
	}
	return w.add(in, s)
}

func (w *walker) add(in *folder, s *types.Stat) error {
	err := w.show(in)
	w.list = append(w.list, s)
	return err
}

// regular adds a file and has it read.
func (w *walker) regular(in *folder, name string) error {
	f, err := in.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return gone(err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return cmp.Or(err, changed(path.Join(in.path, name)))
	}
	file := &file{stat: stat(path.Join(in.path, name), info), info: info, up: w.up}
	w.files = append(w.files, file)
	w.reading.Go(func() error {
		defer f.Close()
		return file.read(f, w.dir)
	})
	return w.add(in, file.stat)
}

func (w *walker) sums() map[string]sum {
	sums := make(map[string]sum, len(w.files))
	for _, f := range w.files {
		sums[f.stat.Path] = f.sum
	}
	return sums
}

// takesBack reports whether an exception among the patterns may be about something in an ignored directory. One with a wildcard may be about anything.
func (w *walker) takesBack(dir string) bool {
	return slices.ContainsFunc(w.ignore.Patterns(), func(p *patternmatcher.Pattern) bool {
		name := filepath.ToSlash(p.String())
		return p.Exclusion() && (strings.ContainsAny(name, `*?[\`) || strings.HasPrefix(name, dir+"/"))
	})
}

// stat returns what is sent of a file: its kind, permissions and size. Whose it is on this machine the image does not say; who owns it there is the recipe's to say.
func stat(at string, info fs.FileInfo) *types.Stat {
	s := &types.Stat{Path: at, Mode: uint32(mode(info.Mode())), ModTime: fixedTime}
	if info.Mode().IsRegular() {
		s.Size = info.Size()
	}
	return s
}

// mode is what Windows does not say: who may execute a file (fsutil, stat.go).
func mode(m fs.FileMode) fs.FileMode {
	if runtime.GOOS == "windows" {
		return m&^fs.ModePerm | (m.Perm()|0o111)&0o755
	}
	return m
}
