package inventory

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// Project is what an inventory is of.
type Project struct {
	FS fs.FS
	// Image are the files that the image has, Sent those that its build is sent for whatever else.
	Image, Sent []ops.Selection
	// Budget is how long the sizes of what stays behind may be counted; 0 = not at all.
	Budget time.Duration
}

// Inventory is what an image has of a project's files, and what stays behind.
type Inventory struct {
	Files    int           `json:"files"`               // how many of the project's files the image has
	Size     int64         `json:"size"`                // their bytes
	Largest  []ProjectFile `json:"largest,omitempty"`   // the largest of them, at most 10
	Left     []Left        `json:"left,omitempty"`      // what is not copied, largest first, at most 200
	More     int           `json:"more,omitempty"`      // how many others are not copied
	MoreSize int64         `json:"more_size,omitempty"` // their bytes, as far as they were counted
	// Usual are the names of what is not copied and nobody misses: git's directory, virtual environments, caches, the files of tools. They are not counted.
	Usual []string `json:"usual,omitempty"`
}

// ProjectFile is a file of the project.
type ProjectFile struct {
	Path string `json:"path"` // slash path in the project
	Size int64  `json:"size"` // in bytes
}

// Left is a file or a whole directory of the project that is not copied.
type Left struct {
	Path    string `json:"path"`              // slash path in the project; that of a directory ends with a slash
	Size    int64  `json:"size"`              // in bytes, as far as they were counted
	Partial bool   `json:"partial,omitempty"` // they were not counted to the end: there is more
	Why     string `json:"why"`               // what decides that: a line of .dockerignore, app.copy
}

// The most that an inventory names.
const (
	mostLargest = 10
	mostLeft    = 200
)

// Take looks at a project. What cannot be read counts as nothing: who copies it says so.
func Take(p Project) Inventory {
	t := taker{fs: p.FS, usual: map[string]bool{}}
	t.dir(".", selectors(p))
	count(p.FS, t.left, p.Budget)
	t.left = slices.DeleteFunc(t.left, func(l Left) bool { return strings.HasSuffix(l.Path, "/") && l.Size == 0 && !l.Partial })
	why := readReasons(p.FS)
	slices.SortStableFunc(t.left, func(a, b Left) int { return cmp.Compare(b.Size, a.Size) })
	for i, l := range t.left[min(len(t.left), mostLeft):] {
		t.inv.More, t.inv.MoreSize = i+1, t.inv.MoreSize+l.Size
	}
	t.inv.Left = t.left[:min(len(t.left), mostLeft)]
	for i, l := range t.inv.Left {
		t.inv.Left[i].Why = why.of(strings.TrimSuffix(l.Path, "/"), l.Why)
	}
	t.inv.Usual = slices.Sorted(maps.Keys(t.usual))
	return t.inv
}

// taker walks through what is copied.
type taker struct {
	fs    fs.FS
	inv   Inventory
	left  []Left
	usual map[string]bool
}

// selector is a selection at a directory.
type selector struct {
	ops.Selection
	image  bool
	ignore *patternmatcher.PatternMatcher
	within bool                     // the selection has the directory
	above  patternmatcher.MatchInfo // what its patterns say of the directory
}

func selectors(p Project) []selector {
	var all []selector
	seen := map[string]bool{}
	for i, s := range slices.Concat(p.Image, p.Sent) {
		m, err := patternmatcher.New(s.Ignore)
		if err != nil || s.Up > 0 || seen[s.Name()] {
			continue // patterns that are not valid are refused when the project is read
		}
		seen[s.Name()] = true
		all = append(all, selector{Selection: s, image: i < len(p.Image), ignore: m, within: slices.Contains(s.Paths, ".")})
	}
	return all
}

// below is a selection at something in its directory: whether the selection has it, and whether it may have something in it.
func (s selector) below(name string) (at selector, has, may bool) {
	at = s
	at.within = s.within || slices.Contains(s.Paths, name)
	ignored, info, err := s.ignore.MatchesUsingParentResults(name, s.above)
	at.above = info
	has = at.within && err == nil && !ignored
	may = has || at.within && s.takesBack(name) ||
		slices.ContainsFunc(s.Paths, func(p string) bool { return strings.HasPrefix(p, name+"/") })
	return at, has, may
}

// takesBack reports whether an exception among the patterns may be about something in an ignored directory. One with a wildcard may be about anything.
func (s selector) takesBack(dir string) bool {
	return slices.ContainsFunc(s.ignore.Patterns(), func(p *patternmatcher.Pattern) bool {
		name := filepath.ToSlash(p.String())
		return p.Exclusion() && (strings.ContainsAny(name, `*?[\`) || strings.HasPrefix(name, dir+"/"))
	})
}

// dir looks at a directory, and reports whether something in it is sent.
func (t *taker) dir(dir string, sels []selector) (sent bool) {
	entries, err := fs.ReadDir(t.fs, dir)
	if err != nil {
		return true
	}
	for _, e := range entries {
		if t.entry(path.Join(dir, e.Name()), e, sels) {
			sent = true
		}
	}
	return sent
}

// entry looks at what is in a directory, and reports whether it, or something in it, is sent.
func (t *taker) entry(name string, e fs.DirEntry, sels []selector) bool {
	var inside []selector
	image, sent, named := false, false, false
	for _, s := range sels {
		at, has, may := s.below(name)
		image, sent, named = image || has && s.image, sent || has, named || at.within && s.image
		if may {
			inside = append(inside, at)
		}
	}
	switch {
	case e.IsDir() && len(inside) > 0:
		before := len(t.left)
		if t.dir(name, inside) || sent {
			return true
		}
		t.left = t.left[:before] // nothing in it is taken back: it stays behind as a whole
	case sent && image && e.Type().IsRegular():
		t.copied(name, e)
		return true
	case sent || !e.IsDir() && !e.Type().IsRegular():
		return sent
	}
	t.leave(name, e, named)
	return false
}

// copied notes a file that the image has.
func (t *taker) copied(name string, e fs.DirEntry) {
	info, err := e.Info()
	if err != nil {
		return
	}
	t.inv.Files++
	t.inv.Size += info.Size()
	at, _ := slices.BinarySearchFunc(t.inv.Largest, info.Size(), func(f ProjectFile, size int64) int { return cmp.Compare(size, f.Size) })
	if at < mostLargest {
		t.inv.Largest = slices.Insert(t.inv.Largest, at, ProjectFile{name, info.Size()})
		t.inv.Largest = t.inv.Largest[:min(len(t.inv.Largest), mostLargest)]
	}
}

// leave notes what stays behind, though app.copy names it or a directory that it lies in, or because it does not.
func (t *taker) leave(name string, e fs.DirEntry, named bool) {
	if isUsual(t.fs, name, e.IsDir()) {
		t.usual[path.Base(name)] = true
		return
	}
	l := Left{Path: name, Why: notNamed}
	if e.IsDir() {
		l.Path += "/"
	} else if info, err := e.Info(); err == nil {
		l.Size = info.Size()
	}
	if named {
		l.Why = excluded
	}
	t.left = append(t.left, l)
}
