package script

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// test is [ … ] and test: strings, numbers, files, joined by ! -a -o.
func test(r *reader, at syntax.Node, args []string) (status, error) {
	if args[0] == "[" {
		if args[len(args)-1] != "]" {
			return unknown, r.refuse(at, "a [ without ]")
		}
		args = args[:len(args)-1]
	}
	return r.or(at, args[1:])
}

func (r *reader) or(at syntax.Node, args []string) (status, error) {
	if i := slices.Index(args, "-o"); i > 0 && i < len(args)-1 && len(args) > 3 {
		left, err := r.or(at, args[:i])
		if err != nil || left == yes {
			return left, err
		}
		return r.or(at, args[i+1:])
	}
	if i := slices.Index(args, "-a"); i > 0 && i < len(args)-1 && len(args) > 3 {
		left, err := r.or(at, args[:i])
		if err != nil || left == no {
			return left, err
		}
		return r.or(at, args[i+1:])
	}
	return r.primary(at, args)
}

func (r *reader) primary(at syntax.Node, args []string) (status, error) {
	switch {
	case len(args) == 0:
		return no, nil
	case len(args) == 1:
		return statusOf(args[0] != ""), nil
	case len(args) == 3 && args[0] != "!":
		return r.compareTexts(at, args)
	case args[0] == "!":
		st, err := r.primary(at, args[1:])
		return st.not(), err
	case len(args) != 2:
		return unknown, r.refuse(at, "a test of an unknown form")
	}
	switch args[0] {
	case "-n":
		return statusOf(args[1] != ""), nil
	case "-z":
		return statusOf(args[1] == ""), nil
	case "-t":
		return no, nil
	}
	return r.fileTest(at, args[0], args[1])
}

func (r *reader) compareTexts(at syntax.Node, args []string) (status, error) {
	switch args[1] {
	case "=", "==":
		return statusOf(args[0] == args[2]), nil
	case "!=":
		return statusOf(args[0] != args[2]), nil
	}
	a, err1 := strconv.Atoi(args[0])
	b, err2 := strconv.Atoi(args[2])
	if err1 == nil && err2 == nil {
		switch args[1] {
		case "-eq":
			return statusOf(a == b), nil
		case "-ne":
			return statusOf(a != b), nil
		case "-gt":
			return statusOf(a > b), nil
		case "-ge":
			return statusOf(a >= b), nil
		case "-lt":
			return statusOf(a < b), nil
		case "-le":
			return statusOf(a <= b), nil
		}
	}
	return unknown, r.refuse(at, "a test with %s", args[1])
}

// testClause takes bash's [[ … ]] no further than one word.
func (r *reader) testClause(c *syntax.TestClause) (status, error) {
	return unknown, r.refuse(c, "a test of bash")
}

// fileTest asks for a file: one of the package, one that the script made, or one that is taken as absent.
func (r *reader) fileTest(at syntax.Node, op, p string) (status, error) {
	if !strings.Contains(" -e -f -d -h -L -x -r -w -s ", " "+op+" ") {
		return unknown, r.refuse(at, "a test with %s", op)
	}
	if p == "" {
		return no, nil
	}
	if !path.IsAbs(p) {
		return unknown, r.refuse(at, "a test of the path %q", p)
	}
	p = path.Clean(p)
	switch {
	case p == "/usr/share/debconf/confmodule": // its functions are known here
		return statusOf(op != "-d" && op != "-x" && op != "-h" && op != "-L"), nil
	case strings.HasPrefix(p, "/run/systemd/"): // no init runs while an image is built
		return no, nil
	case leftOut[path.Base(p)] != "" && strings.Contains(path.Dir(p), "bin"): // what it would do is left out either way
		return no, nil
	case basics[path.Base(p)] && strings.Contains(path.Dir(p), "bin"):
		return statusOf(op != "-d" && op != "-h" && op != "-L"), nil
	}
	if f, ok := r.own[p]; ok && r.unpacked() {
		return r.ownTest(at, op, f)
	}
	if slices.ContainsFunc(r.effects.Removed, func(x state.Removed) bool { return x.Path == p }) && !r.linked(p) {
		return no, nil
	}
	if r.made(p) || r.unpacked() && r.dirs[p] {
		return statusOf(op == "-e" || op == "-d" || op == "-x" || op == "-r" || op == "-w"), nil
	}
	if r.linked(p) {
		return statusOf(op != "-d"), nil
	}
	r.assumeAbsent(p)
	return no, nil
}

// linked reports whether the script made a link.
func (r *reader) linked(p string) bool {
	return slices.ContainsFunc(r.effects.Links, func(l state.Link) bool { return l.Path == p })
}

func (r *reader) ownTest(at syntax.Node, op string, f deb.File) (status, error) {
	switch {
	case op == "-h" || op == "-L":
		return statusOf(f.Kind == deb.Symlink), nil
	case f.Kind == deb.Symlink:
		return unknown, r.refuse(at, "a test of where a link leads")
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

// made reports whether the script made a directory.
func (r *reader) made(p string) bool {
	return slices.ContainsFunc(r.effects.Dirs, func(d state.Dir) bool { return d.Path == p })
}

// basics are programs that every Debian has.
var basics = map[string]bool{"dpkg": true, "dpkg-trigger": true, "dpkg-maintscript-helper": true, "dpkg-divert": true, "update-alternatives": true, "ldconfig": true}

// programAsked is the name in "command -v NAME" and "which NAME".
func programAsked(args []string) (string, bool) {
	switch {
	case len(args) == 3 && args[0] == "command" && args[1] == "-v", len(args) == 3 && args[0] == "which" && strings.HasPrefix(args[1], "-"):
		return args[2], true
	case len(args) == 2 && (args[0] == "which" || args[0] == "type"):
		return args[1], true
	}
	return "", false
}

// askProgram is command -v, which and type.
func askProgram(r *reader, at syntax.Node, args []string) (status, error) {
	name, ok := programAsked(args)
	if !ok {
		return unknown, r.refuse(at, "%s %s", args[0], strings.Join(args[1:], " "))
	}
	_, st := r.program(name)
	return st, nil
}

// program looks for a program: its path, and whether it is there.
func (r *reader) program(name string) (string, status) {
	if basics[name] {
		return "/usr/bin/" + name, yes
	}
	if leftOut[name] != "" || strings.Contains(name, "/") {
		return "", no
	}
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"} {
		if _, ok := r.own[dir+name]; ok && r.unpacked() {
			return dir + name, yes
		}
	}
	r.assumeAbsent("/usr/sbin/" + name)
	r.assumeAbsent("/usr/bin/" + name)
	return "", no
}

// compare is cmp: of files of which one is absent.
func compare(r *reader, at syntax.Node, args []string) (status, error) {
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") {
			continue
		}
		if st, err := r.fileTest(at, "-e", a); err != nil || st == no {
			return no, err
		}
	}
	return unknown, nil
}

// mkdir makes directories; those that are there already stay as they are with -p.
func mkdir(r *reader, at syntax.Node, args []string) (status, error) {
	mode, parents := uint32(0o755), false
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-p" || a == "--parents":
			parents = true
		case a == "-m" && i+1 < len(args):
			m, err := strconv.ParseUint(args[i+1], 8, 12)
			if err != nil {
				return unknown, r.refuse(at, "a mode in words")
			}
			mode = uint32(m)
			i++
		case strings.HasPrefix(a, "-") || !plainPath(a):
			return unknown, r.refuse(at, "mkdir %s", a)
		default:
			st, err := r.fileTest(at, "-e", a)
			if err != nil {
				return unknown, err
			}
			if st == yes && !parents {
				return no, nil
			}
			if st == no {
				r.effects.Dirs = append(r.effects.Dirs, state.Dir{Path: path.Clean(a), Mode: mode, User: "root", Group: "root"})
			}
		}
	}
	return yes, nil
}

// install takes only install -d.
func install(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) < 3 || args[1] != "-d" {
		return unknown, r.refuse(at, "install without -d")
	}
	out := []string{"mkdir", "-p"}
	return mkdir(r, at, append(out, args[2:]...))
}

var plain = regexp.MustCompile(`^/[^*?\[\]\\]*$`)

// plainPath reports whether an argument is an absolute path without patterns.
func plainPath(p string) bool { return plain.MatchString(p) }

// remove is rm and rmdir: of what the script made, or of what is not there, which is an error without -f.
func remove(r *reader, at syntax.Node, args []string) (status, error) {
	st, force := yes, false
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") {
			force = force || args[0] == "rm" && !strings.HasPrefix(a, "--") && strings.Contains(a, "f")
			continue
		}
		if !path.IsAbs(a) {
			return unknown, r.refuse(at, "%s %s", args[0], a)
		}
		p := path.Clean(a)
		if i := slices.IndexFunc(r.effects.Links, func(l state.Link) bool { return l.Path == p }); i >= 0 {
			r.effects.Links = slices.Delete(r.effects.Links, i, i+1)
			continue
		}
		if f, ok := r.own[p]; ok && r.unpacked() && f.Kind != deb.Folder && plainPath(p) {
			delete(r.own, p)
			r.effects.Removed = append(r.effects.Removed, state.Removed{Path: p, Package: r.info.Package})
			continue
		}
		if _, ok := r.own[p]; ok && r.unpacked() || r.made(p) || r.unpacked() && r.dirs[p] {
			return unknown, r.refuse(at, "it removes %s", p)
		}
		r.assumeAbsent(p)
		if !force {
			st = no
		}
	}
	return st, nil
}

// ownMatches finds a file of the package that a pattern of file names means.
func (r *reader) ownMatches(pat string) string {
	if !strings.ContainsAny(pat, "*?[") || !r.unpacked() {
		return ""
	}
	for _, f := range r.info.Files {
		if ok, err := match(pat, f.Path); ok || err != nil {
			return f.Path
		}
	}
	return ""
}

// link is ln -s TARGET PATH.
func link(r *reader, at syntax.Node, args []string) (status, error) {
	symbolic, force := false, false
	var names []string
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			names = append(names, a)
			continue
		}
		if strings.Trim(a, "-snf") != "" {
			return unknown, r.refuse(at, "ln %s", a)
		}
		symbolic = symbolic || strings.Contains(a, "s")
		force = force || strings.Contains(a, "f")
	}
	if !symbolic || len(names) != 2 || !plainPath(names[1]) {
		return unknown, r.refuse(at, "a form of ln that is not known")
	}
	p := path.Clean(names[1])
	st, err := r.fileTest(at, "-e", p)
	if err != nil || st == unknown {
		return unknown, err
	}
	if st == yes {
		return unknown, r.refuse(at, "it puts a link in the place of %s", p)
	}
	r.effects.Links = append(r.effects.Links, state.Link{Path: p, Target: names[0]})
	return yes, nil
}
