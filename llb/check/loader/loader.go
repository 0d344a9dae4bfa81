package loader

import (
	"debug/elf"
	"os"
	"path"
	"slices"
	"strings"
)

// Loader finds libraries for what one program loads. It remembers what it has read, and is not for use by several goroutines.
type Loader struct {
	root        string
	libraryPath []string // LD_LIBRARY_PATH
	musl        bool
	class       elf.Class
	machine     elf.Machine
	arch        architecture
	cache       map[string][]string
	system      []string // directories that are searched last
	files       map[string]*File
	objects     map[key]*object
	inherited   []string        // DT_RPATH of the program, and of the library of it that calls dlopen
	loaded      map[string]bool // names that the program has loaded from its beginning
}

// key is an object's: of one file, loaded by such as have these DT_RPATHs.
type key struct{ path, inherited string }

// object is a file as it is loaded.
type object struct {
	path  string
	file  *File
	needs []need // of file.Needed
}

// need is a library that an object asks for. Its object is nil where it is not found.
type need struct {
	name   string
	object *object
}

// Lack is a library that is not found.
type Lack struct {
	File    string // that needs it, absolute: the one that was asked for, or a library that it loads
	Library string // by its file name
}

// New returns the loader of the image at root, "/" in the image itself, for what a program loads at run time: program is absolute, and the loader is that which it names. libraryPath
// is LD_LIBRARY_PATH. A program that cannot be read counts as one that loads nothing, of glibc where the image has no loader of musl alone.
func New(root, program, libraryPath string) *Loader {
	l := &Loader{root: root, files: map[string]*File{}, objects: map[key]*object{}, loaded: map[string]bool{}}
	for _, dir := range strings.FieldsFunc(libraryPath, func(r rune) bool { return r == ':' || r == ';' }) {
		l.libraryPath = append(l.libraryPath, path.Clean(dir))
	}
	main := l.read(program)
	if main == nil {
		main = &File{Class: elf.ELFCLASS64}
	}
	l.class, l.machine, l.arch = main.Class, main.Machine, architectures[main.Machine]
	l.musl = strings.Contains(main.Interp, "ld-musl")
	l.setDirectories()
	l.libraryPath = expand(l.libraryPath, path.Dir(program), l.arch)
	l.start(&object{path: program, file: main})
	return l
}

func (l *Loader) setDirectories() {
	if l.musl {
		l.system = muslDirectories(l.root, l.arch)
		return
	}
	var ok bool
	if l.cache, ok = cached(l.root); !ok {
		l.system = configured(l.root)
	}
	l.system = append(l.system, directories(l.arch)...)
}

// start notes what the program itself loads, and whose DT_RPATHs hold for everything that it loads later.
func (l *Loader) start(main *object) {
	l.inherited = expand(main.file.Rpath, path.Dir(main.path), l.arch)
	l.resolve(main, nil)
	for _, n := range main.needs {
		if n.object != nil && strings.HasPrefix(n.name, "libpython") { // it calls dlopen
			l.inherited = append(expand(n.object.file.Rpath, path.Dir(n.object.path), l.arch), l.inherited...)
		}
	}
	l.walk(main, l.loaded)
}

// read returns what an ELF file of the image says, nil for what is none.
func (l *Loader) read(name string) *File {
	if f, ok := l.files[name]; ok {
		return f
	}
	l.files[name] = nil
	at, ok := Resolve(l.root, name)
	if !ok {
		return nil
	}
	if info, err := os.Stat(at); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	from, err := os.Open(at)
	if err != nil {
		return nil
	}
	defer from.Close() //nolint:errcheck // it was read
	f, err := Read(from)
	if err != nil {
		return nil
	}
	l.files[name] = &f
	return &f
}

// Is returns what a file of the image is to this loader, false for what it cannot load: no ELF file, of another architecture, no shared library, or built for the other C library.
func (l *Loader) Is(name string) (File, bool) {
	f := l.read(name)
	if f == nil || !l.fits(f) || f.Type != elf.ET_DYN {
		return File{}, false
	}
	return *f, !l.foreign(f)
}

// foreign reports whether a file is made for another C library.
func (l *Loader) foreign(f *File) bool {
	return !l.musl && slices.ContainsFunc(f.Needed, func(n string) bool { return strings.HasPrefix(n, "libc.musl-") })
}

func (l *Loader) fits(f *File) bool { return f.Class == l.class && f.Machine == l.machine }

// Lacking returns the libraries that a file of the image needs, itself or by way of others, and that are not found, in the order in which they are looked for. What it cannot load at
// all (see Is) lacks nothing.
func (l *Loader) Lacking(name string) []Lack {
	if _, ok := l.Is(name); !ok {
		return nil
	}
	loaded := map[string]bool{}
	lacks := l.walk(l.object(name, l.inherited), loaded)
	return slices.DeleteFunc(lacks, func(k Lack) bool { return loaded[k.Library] || l.loaded[k.Library] })
}

// Has reports whether the loader finds a library by its name alone, as for dlopen(3).
func (l *Loader) Has(library string) bool {
	_, ok := l.find(library, l.libraryPath)
	return ok || l.loaded[library]
}

// walk goes through what an object loads, breadth first as the loader does, and notes the names by which each may be asked for once more. It returns what is not found: a name that
// another object brings later is among it.
func (l *Loader) walk(first *object, loaded map[string]bool) []Lack {
	var lacks []Lack
	seen := map[string]bool{first.path: true}
	type step struct {
		object    *object
		inherited []string
	}
	for queue := []step{{first, l.inherited}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		passed := l.resolve(at.object, at.inherited)
		for _, n := range at.object.needs {
			if n.object == nil {
				lacks = append(lacks, Lack{at.object.path, n.name})
				continue
			}
			loaded[n.name], loaded[n.object.file.Soname] = true, true
			if !seen[n.object.path] {
				seen[n.object.path] = true
				queue = append(queue, step{n.object, passed})
			}
		}
	}
	return lacks
}

// object returns a file as it is loaded by such as have these DT_RPATHs.
func (l *Loader) object(name string, inherited []string) *object {
	k := key{name, strings.Join(inherited, ":")}
	if o, ok := l.objects[k]; ok {
		return o
	}
	o := &object{path: name, file: l.read(name)}
	l.objects[k] = o
	return o
}

// resolve finds what an object needs, once, and returns the DT_RPATHs that hold for what it loads.
func (l *Loader) resolve(o *object, inherited []string) []string {
	passed, brought := inherited, o.file.Rpath
	if l.musl { // it knows no difference
		brought = slices.Concat(brought, o.file.Runpath)
	}
	for i, dir := range expand(brought, path.Dir(o.path), l.arch) {
		if !slices.Contains(inherited, dir) {
			passed = slices.Insert(slices.Clone(passed), min(i, len(passed)), dir)
		}
	}
	if len(o.needs) == len(o.file.Needed) {
		return passed
	}
	dirs := l.searched(o, passed)
	for _, name := range o.file.Needed {
		n := need{name: name}
		if at, ok := l.find(name, dirs); ok {
			n.object = l.object(at, passed)
		} else if l.own(name) {
			n.object = &object{path: name, file: &File{Soname: name}}
		}
		o.needs = append(o.needs, n)
	}
	return passed
}

// own reports whether the loader itself is this library.
func (l *Loader) own(name string) bool {
	return l.musl && slices.ContainsFunc(muslOwn, func(own string) bool { return strings.HasPrefix(name, own) })
}

// searched returns the directories that are searched for what an object needs, in order, up to the loader's cache. rpaths are the DT_RPATHs of the object and of those that load it.
func (l *Loader) searched(o *object, rpaths []string) []string {
	runpath := expand(o.file.Runpath, path.Dir(o.path), l.arch)
	switch {
	case l.musl:
		return slices.Concat(l.libraryPath, rpaths)
	case o.file.Libpath:
		return slices.Concat(l.libraryPath, runpath)
	}
	return slices.Concat(rpaths, l.libraryPath)
}

// find returns the file for a name.
func (l *Loader) find(name string, dirs []string) (string, bool) {
	if strings.Contains(name, "/") {
		f := l.read(name)
		return name, path.IsAbs(name) && f != nil && l.fits(f)
	}
	for _, dir := range dirs {
		if at, ok := l.in(dir, name); ok {
			return at, true
		}
	}
	for _, at := range l.cache[name] {
		if f := l.read(at); f != nil && l.fits(f) {
			return at, true
		}
	}
	for _, dir := range l.system {
		if at, ok := l.in(dir, name); ok {
			return at, true
		}
	}
	return "", false
}

// in returns a library in a directory. Those for newer processors alone (glibc-hwcaps) do not count: what an image needs has to be there for every machine.
func (l *Loader) in(dir, name string) (string, bool) {
	at := path.Join(dir, name)
	f := l.read(at)
	return at, f != nil && l.fits(f)
}
