package script

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// system is the fresh system as the scripts of one package see it: the package's files, what the scripts made, and nothing else.
type system struct {
	pkg      deb.Info
	own      map[string]deb.File // the package's files, by path
	dirs     map[string]bool     // the directories they stand in
	unpacked bool                // they are there already: preinst runs before
	absent   map[string]bool     // paths that were taken as absent
	effects  state.Effects       // what the scripts made
	spent    budget              // what following them took
}

func newSystem(pkg deb.Info) *system {
	s := &system{pkg: pkg, own: map[string]deb.File{}, dirs: map[string]bool{"/": true}, absent: map[string]bool{}}
	for _, f := range pkg.Files {
		s.own[f.Path] = f
		for d := path.Dir(f.Path); !s.dirs[d]; d = path.Dir(d) {
			s.dirs[d] = true
		}
	}
	return s
}

// during makes the system what it is while a script runs. What it returns undoes that.
func (s *system) during(script string) (after func()) {
	outer := s.unpacked
	s.unpacked = script != "preinst"
	return func() { s.unpacked = outer }
}

// result returns what the scripts did and assumed.
func (s *system) result() state.Effects {
	e := s.effects
	e.Absent = slices.Sorted(maps.Keys(s.absent))
	return e
}

// assumeAbsent notes a path at which nothing may be.
func (s *system) assumeAbsent(p string) { s.absent[p] = true }

// leaveOut notes a command that is not done.
func (s *system) leaveOut(command, why string) {
	note := command + ": " + why
	if !slices.Contains(s.effects.LeftOut, note) {
		s.effects.LeftOut = append(s.effects.LeftOut, note)
	}
}

// file returns the package's file at a path, if it is there.
func (s *system) file(p string) (deb.File, bool) {
	f, ok := s.own[p]
	return f, ok && s.unpacked
}

// folder reports whether a path is a directory that the package or the scripts made.
func (s *system) folder(p string) bool {
	return slices.ContainsFunc(s.effects.Dirs, func(d state.Dir) bool { return d.Path == p }) || s.unpacked && s.dirs[p]
}

// linked reports whether the scripts made a link.
func (s *system) linked(p string) bool {
	return slices.ContainsFunc(s.effects.Links, func(l state.Link) bool { return l.Path == p })
}

// removed reports whether the scripts removed a file of the package.
func (s *system) removed(p string) bool {
	return slices.ContainsFunc(s.effects.Removed, func(r state.Removed) bool { return r.Path == p })
}

// test answers test OP PATH: of a file of the package, one that the scripts made, or one that is taken as absent.
func (s *system) test(op, p string) (status, error) {
	if !strings.Contains(" -e -f -d -h -L -x -r -w -s ", " "+op+" ") {
		return unknown, refuse("a test with %s", op)
	}
	if p == "" {
		return no, nil
	}
	if !path.IsAbs(p) {
		return unknown, refuse("a test of the path %q", p)
	}
	p = path.Clean(p)
	if st, ok := testUsual(op, p); ok {
		return st, nil
	}
	if f, ok := s.file(p); ok {
		return testFile(op, f)
	}
	switch linked := s.linked(p); {
	case s.removed(p) && !linked:
		return no, nil
	case s.folder(p):
		return statusOf(op == "-e" || op == "-d" || op == "-x" || op == "-r" || op == "-w"), nil
	case linked:
		return statusOf(op != "-d"), nil
	}
	s.assumeAbsent(p)
	return no, nil
}

// testUsual tests what is the same on every system.
func testUsual(op, p string) (st status, ok bool) {
	program := strings.Contains(path.Dir(p), "bin")
	switch {
	case p == "/usr/share/debconf/confmodule": // its functions are known here
		return statusOf(op != "-d" && op != "-x" && op != "-h" && op != "-L"), true
	case strings.HasPrefix(p, "/run/systemd/"): // no init runs while an image is built
		return no, true
	case leftOut[path.Base(p)] != "" && program: // what it would do is left out either way
		return no, true
	case basics[path.Base(p)] && program:
		return statusOf(op != "-d" && op != "-h" && op != "-L"), true
	}
	return unknown, false
}

func testFile(op string, f deb.File) (status, error) {
	switch {
	case op == "-h" || op == "-L":
		return statusOf(f.Kind == deb.Symlink), nil
	case f.Kind == deb.Symlink:
		return unknown, refuse("a test of where a link leads")
	case op == "-d":
		return statusOf(f.Kind == deb.Folder), nil
	case op == "-f":
		return statusOf(f.Kind != deb.Folder), nil
	case op == "-s":
		return statusOf(f.Size > 0 || f.Kind == deb.Folder), nil
	case op == "-x":
		return statusOf(f.Mode&0o111 != 0), nil
	}
	return yes, nil
}

// program looks for a program: its path, and whether it is there.
func (s *system) program(name string) (string, bool) {
	if basics[name] {
		return "/usr/bin/" + name, true
	}
	if leftOut[name] != "" || strings.Contains(name, "/") {
		return "", false
	}
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"} {
		if _, ok := s.file(dir + name); ok {
			return dir + name, true
		}
	}
	s.assumeAbsent("/usr/sbin/" + name)
	s.assumeAbsent("/usr/bin/" + name)
	return "", false
}

// matching finds a file of the package that a pattern of file names means, "" for none.
func (s *system) matching(pat string) (string, error) {
	if !strings.ContainsAny(pat, "*?[") || !s.unpacked {
		return "", nil
	}
	return s.find(pat, func(deb.File) bool { return true })
}

// find finds a file of the package, of those that are asked for, whose path matches a pattern. A pattern that cannot be
// read matches any.
func (s *system) find(pat string, asked func(deb.File) bool) (string, error) {
	re, err := s.spent.expression(pat)
	if err != nil {
		return "", err
	}
	start := pat[:strings.IndexAny(pat+`\`, `*?[\`)] // every path that matches begins so
	for _, f := range s.pkg.Files {
		if !asked(f) || re != nil && !strings.HasPrefix(f.Path, start) {
			continue
		}
		if err := s.spent.hold(len(pat), len(f.Path)); err != nil {
			return "", err
		}
		if re == nil || re.MatchString(f.Path) {
			return f.Path, nil
		}
	}
	return "", nil
}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// lacksPackage takes dpkg-query -W of one other package, which is taken as not installed.
func (s *system) lacksPackage(args []string) bool {
	if len(args) < 3 || args[0] != "dpkg-query" || args[1] != "-W" && args[1] != "--show" {
		return false
	}
	name := args[len(args)-1]
	rest := args[2 : len(args)-1]
	if !packageName.MatchString(name) || name == s.pkg.Package || len(rest) > 2 || len(rest) > 0 && !strings.HasPrefix(rest[0], "-f") {
		return false
	}
	for _, p := range []string{"info/" + name + ".list", "info/" + name + ":*.list", "status.d/" + name} {
		s.assumeAbsent("/var/lib/dpkg/" + p)
	}
	return true
}
