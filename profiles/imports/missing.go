package imports

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Question is what is asked.
type Question struct {
	Project  fs.FS
	Command  []string               // of the image, its entrypoint first
	Workdir  string                 // of the image
	Path     []string               // further directories in which the image's Python looks for modules: PYTHONPATH
	Placed   map[string]string      // path of a file in the image → its path in the project
	Made     []string               // files and directories of the image that steps make, or that come from other images
	Packages func(name string) bool // reports whether a module, by its first part, comes with a package
	Own      []string               // directories of the project that are packages of their own
}

// Module is a module that a file of the project imports.
type Module struct {
	Name   string // "helpers.text"
	Path   string // where the project has it: "helpers/text.py", "helpers/"
	File   string // that imports it
	Line   int
	Column int
	Later  bool // the image starts without it: a function imports it, or a file of the project says by itself where modules are
}

// Limits of what is read.
const (
	maxFiles  = 2000
	maxSource = 4 << 20 // bytes
)

// Imports are the modules that what an image's command starts imports and that the project does not bring.
type Imports struct {
	Missing []Module // of the project, and the image lacks them
	// Outside are those of which the project has nothing, each by its first part and without Path, that the image cannot start without: packages have to bring them. Nil where a file of the
	// project says by itself where modules are.
	Outside []Module
}

// Follow returns what an image's command imports, the imports of the entry module first; nothing where nobody can tell with which module a command starts.
func Follow(q Question) Imports {
	w := &walk{Question: q, seen: map[string]bool{}}
	if !w.start() {
		return Imports{}
	}
	for len(w.next)+len(w.later) > 0 && len(w.seen) < maxFiles {
		from := &w.next
		if len(w.next) == 0 {
			from = &w.later
		}
		m := (*from)[0]
		*from = (*from)[1:]
		w.read(m)
	}
	if w.moved {
		for i := range w.missing {
			w.missing[i].Later = true
		}
		w.outside = nil
	}
	return Imports{Missing: w.missing, Outside: w.outside}
}

// walk is one pass over the modules that are imported.
type walk struct {
	Question
	image   image
	roots   []root
	next    []loaded        // to be read, what the image starts with
	later   []loaded        // to be read when that is done
	seen    map[string]bool // files that were read
	missing []Module
	outside []Module
	moved   bool // a module changes sys.path
}

// loaded is a module of the image that is read.
type loaded struct {
	file   string // in the project
	pkg    string // that its relative imports start from: "a/b", "" for a module at a root
	inRoot root
	later  bool // it is loaded when a function is called
	main   bool // it is run
}

// start finds the module with which the command starts, and the directories in which it looks for others.
func (w *walk) start() bool {
	inImage := func(name string) string {
		if path.IsAbs(name) {
			return path.Clean(name)
		}
		return path.Join(w.Workdir, name)
	}
	e, ok := entryOf(w.Command, func(name string) bool { return w.Placed[inImage(name)] != "" })
	if !ok {
		return false
	}
	w.image = imageOf(w.Placed)
	for _, dir := range w.Path {
		w.roots = append(w.roots, root{inImage(dir), w.projectDir(inImage(dir))})
	}
	if e.script != "" {
		name := inImage(e.script)
		first := root{path.Dir(name), path.Dir(w.Placed[name])}
		w.roots = append([]root{first}, w.roots...)
		w.load(loaded{file: w.Placed[name], inRoot: first, main: true})
		return true
	}
	dir := inImage(e.dir)
	w.roots = append([]root{{dir, w.projectDir(dir)}}, w.roots...)
	below := strings.ReplaceAll(e.module, ".", "/")
	found := w.begin(below, e.run)
	if e.run {
		found = w.begin(below+"/__main__", true) || found
	}
	return found // else it is a package of the environment
}

// begin has a module read with which the command starts, and the packages that it lies in.
func (w *walk) begin(below string, main bool) bool {
	for _, r := range w.roots {
		file, ok := w.image.module(r, below)
		if !ok || file == "" {
			continue
		}
		w.parents(r, below)
		w.load(loaded{file: file, pkg: packageOf(file, below), inRoot: r, main: main})
		return true
	}
	return false
}

// projectDir returns the project's directory of which an image's has files, "" where they come from several.
func (w *walk) projectDir(dir string) (found string) {
	for name, file := range w.Placed {
		below, ok := strings.CutPrefix(name, dir+"/")
		if !ok {
			continue
		}
		from, ok := strings.CutSuffix("/"+file, "/"+below)
		from = strings.TrimPrefix(from, "/")
		if from == "" {
			from = "."
		}
		if !ok || found != "" && found != from {
			return ""
		}
		found = from
	}
	return found
}

func (w *walk) load(m loaded) {
	switch {
	case w.seen[m.file]:
	case m.later:
		w.later = append(w.later, m)
	default:
		w.next = append(w.next, m)
	}
}

// read follows the imports of a module.
func (w *walk) read(m loaded) {
	if w.seen[m.file] {
		return
	}
	w.seen[m.file] = true
	data, err := fs.ReadFile(w.Project, m.file)
	if err != nil || len(data) > maxSource {
		return
	}
	w.moved = w.moved || bytes.Contains(data, []byte("sys.path"))
	for _, s := range scan(data) {
		if s.when != perhaps && (s.when != asMain || m.main) {
			w.follow(m, s)
		}
	}
}

// follow looks for what a statement imports.
func (w *walk) follow(m loaded, s statement) {
	below, at := strings.ReplaceAll(s.module, ".", "/"), w.roots
	if s.level > 0 {
		dir, ok := above(m.pkg, s.level-1)
		if !ok || m.pkg == "" {
			return // Python says so itself
		}
		below, at = path.Join(dir, below), []root{m.inRoot}
	} else if first, _, _ := strings.Cut(below, "/"); stdlib()[first] || strings.HasPrefix(first, "_") || w.Packages(first) {
		return
	}
	if !w.need(m, s, at, below, true) {
		return
	}
	for _, name := range s.names {
		if name != "*" {
			w.need(m, s, at, path.Join(below, name), false)
		}
	}
}

// need has a module read that the image has, with the packages that it lies in, and notes one that only the project has. It reports whether the image has it. A name that is no
// module may be anything in its package.
func (w *walk) need(m loaded, s statement, at []root, below string, module bool) bool {
	parts := strings.Split(below, "/")
	for n := range parts {
		name := strings.Join(parts[:n+1], "/")
		if n < len(parts)-1 && !module {
			continue
		}
		if !w.one(m, s, at, name) {
			return false
		}
	}
	return true
}

// one does so for one module, whose package is there.
func (w *walk) one(m loaded, s statement, at []root, below string) bool {
	later := m.later || s.when == called
	for _, r := range at {
		file, ok := w.image.module(r, below)
		if file != "" {
			w.load(loaded{file: file, pkg: packageOf(file, below), inRoot: r, later: later})
		}
		if ok || w.made(path.Join(r.image, below)) {
			return true
		}
	}
	for _, r := range at {
		if found := here(w.Project, r, below); found != "" && !w.own(found) {
			w.note(Module{Name: strings.ReplaceAll(below, "/", "."), Path: found, File: m.file, Line: s.line, Column: s.column, Later: later})
			return false
		}
	}
	if s.level == 0 && !later && !strings.Contains(below, "/") && !w.somewhere(below) {
		w.noteOutside(Module{Name: below, File: m.file, Line: s.line, Column: s.column})
	}
	return false
}

// somewhere reports whether the image has a file or directory of the project by a module's name, wherever it lies: something may have Python look there.
func (w *walk) somewhere(name string) bool {
	for at := range w.Placed {
		if strings.Contains(at+"/", "/"+name+"/") || strings.HasSuffix(strings.TrimSuffix(at, path.Ext(at)), "/"+name) {
			return true
		}
	}
	return false
}

// noteOutside keeps a module once.
func (w *walk) noteOutside(m Module) {
	if !slices.ContainsFunc(w.outside, func(o Module) bool { return o.Name == m.Name }) {
		w.outside = append(w.outside, m)
	}
}

// made reports whether a path of the image may be a step's or another image's: it is one of those, lies below one, or above.
func (w *walk) made(name string) bool {
	return slices.ContainsFunc(w.Made, func(to string) bool {
		to = strings.TrimSuffix(to, "/")
		return to == name || to == name+".py" || strings.HasPrefix(name, to+"/") || strings.HasPrefix(to, name+"/")
	})
}

// own reports whether a path of the project lies in a package of its own.
func (w *walk) own(name string) bool {
	return slices.ContainsFunc(w.Own, func(dir string) bool { return dir == "." || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") })
}

// parents has the packages read that a module lies in.
func (w *walk) parents(r root, below string) {
	for dir := path.Dir(below); dir != "."; dir = path.Dir(dir) {
		if file, ok := w.image.module(r, dir); ok && file != "" {
			w.load(loaded{file: file, pkg: dir, inRoot: r})
		}
	}
}

// note keeps a module once; one that the image cannot start without is kept as that.
func (w *walk) note(m Module) {
	if i := slices.IndexFunc(w.missing, func(o Module) bool { return o.Name == m.Name }); i >= 0 {
		if w.missing[i].Later && !m.Later {
			w.missing[i] = m
		}
		return
	}
	w.missing = append(w.missing, m)
}

// packageOf is the package that a module's relative imports start from.
func packageOf(file, below string) string {
	if path.Base(file) == "__init__.py" {
		return below
	}
	if dir := path.Dir(below); dir != "." {
		return dir
	}
	return ""
}

// above is the package some levels above one.
func above(pkg string, levels int) (string, bool) {
	for range levels {
		if pkg == "." || pkg == "" {
			return "", false
		}
		pkg = path.Dir(pkg)
	}
	return pkg, pkg != "."
}
