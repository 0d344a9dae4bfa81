package ldcache

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Make writes the cache of a system to etc/ld.so.cache below out, every file and directory of it with the given time. The system lies in several roots, the base first, and is of
// the architecture as Debian names it; dirs are directories of libraries beside those of its settings. It fails with fault.Internal where a root or the file cannot be opened.
func Make(out *os.Root, roots []*os.Root, arch string, dirs []string, at time.Time) error {
	s := scan{tree: roots, arch: arch, seen: map[string]bool{}}
	for _, dir := range slices.Concat(s.configured("/etc/ld.so.conf", 0), dirs, []string{"/lib", "/usr/lib"}) {
		s.directory(dir)
	}
	const file = "etc/ld.so.cache"
	err := out.Mkdir("etc", 0o755)
	if err == nil {
		err = out.WriteFile(file, encode(s.found), 0o644)
	}
	for _, name := range []string{file, "etc", "."} {
		if err == nil {
			err = out.Chtimes(name, at, at)
		}
	}
	if err != nil {
		return fault.New(fault.Internal, "write the loader's cache: %w", err)
	}
	return nil
}

// scan is the search for libraries.
type scan struct {
	tree  overlay
	arch  string
	seen  map[string]bool // directories without links
	found []Library
}

// maxConf bounds a configuration file, in bytes.
const maxConf = 1 << 20

// configured lists the directories of a configuration file and of those that it includes.
func (s *scan) configured(file string, depth int) (dirs []string) {
	f, ok := s.tree.open(file)
	if !ok || depth > 8 {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConf))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n:,", r) })
		switch {
		case len(fields) == 0, fields[0] == "hwcap":
		case fields[0] == "include":
			for _, pattern := range fields[1:] {
				for _, included := range s.glob(pattern, path.Dir(file)) {
					dirs = append(dirs, s.configured(included, depth+1)...)
				}
			}
		default:
			dirs = append(dirs, path.Clean("/"+fields[0]))
		}
	}
	return dirs
}

// glob lists the files of a pattern, whose last part alone may be one; a relative pattern lies below dir.
func (s *scan) glob(pattern, dir string) []string {
	if !path.IsAbs(pattern) {
		pattern = path.Join(dir, pattern)
	}
	real, info, _ := s.tree.resolve(path.Dir(pattern))
	if info == nil || !info.IsDir() {
		return nil
	}
	var all []string
	for _, name := range s.tree.names(real) {
		if match, err := path.Match(path.Base(pattern), name); match && err == nil && !strings.HasPrefix(name, ".") {
			all = append(all, path.Join(real, name))
		}
	}
	return all
}

// entry is a library of one directory: the file that has the name, and whether it is a link for the linker.
type entry struct {
	name, file string
	flags      uint32
	link       bool
}

// directory adds the libraries of a directory, unless another path has led there already.
func (s *scan) directory(dir string) {
	real, info, _ := s.tree.resolve(dir)
	if info == nil || !info.IsDir() || s.seen[real] {
		return
	}
	s.seen[real] = true
	var entries []entry
	for _, name := range s.tree.names(real) {
		if e, ok := s.library(real, name); ok {
			entries = merge(entries, e)
		}
	}
	for _, e := range entries {
		file := e.name
		if info, _ := s.tree.lstat(path.Join(real, file)); info == nil {
			file = e.file // ldconfig would make the link
		}
		s.found = append(s.found, Library{Name: e.name, Path: path.Join(dir, file), Flags: e.flags})
	}
}

// merge adds a library to those of its directory. Of two with one name, a file stands before a link, and the higher version before the lower.
func merge(entries []entry, e entry) []entry {
	for i, other := range entries {
		if other.name != e.name || other.flags != e.flags {
			continue
		}
		if !e.link && other.link || e.link == other.link && compareNames(other.file, e.file) < 0 {
			entries[i] = e
		}
		return entries
	}
	return append(entries, e)
}

// library reads one file of a directory as ldconfig does (elf/ldconfig.c, search_dir).
func (s *scan) library(dir, name string) (entry, bool) {
	prefixed := strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "ld-")
	if !prefixed || !strings.Contains(name, ".so") || strings.HasSuffix(name, ".dpkg-new") || strings.HasSuffix(name, ".dpkg-tmp") {
		return entry{}, false
	}
	info, _ := s.tree.lstat(path.Join(dir, name))
	f, ok := s.tree.open(path.Join(dir, name))
	if !ok || info == nil {
		return entry{}, false
	}
	defer f.Close()
	flags, soname := readLibrary(f, s.arch)
	if flags == 0 {
		return entry{}, false
	}
	if soname == "" {
		soname = name
	}
	e := entry{name: soname, file: name, flags: flags, link: info.Mode()&fs.ModeSymlink != 0}
	if e.link && name != soname {
		e.link = strings.HasSuffix(name, ".so") && strings.HasPrefix(soname, name)
	}
	if e.link {
		e.name = name // libz.so beside libz.so.1, for the linker
	}
	return e, true
}

// String is a library as ldconfig -p prints it, with its flags as a number.
func (l Library) String() string { return fmt.Sprintf("%s (%#x) => %s", l.Name, l.Flags, l.Path) }
