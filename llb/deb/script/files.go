package script

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// compare is cmp: of files of which one is absent.
func compare(s *system, args []string) (status, error) {
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") {
			continue
		}
		if st, err := s.test("-e", a); err != nil || st == no {
			return no, err
		}
	}
	return unknown, nil
}

// mkdir makes directories; those that are there already stay as they are with -p.
func mkdir(s *system, args []string) (status, error) {
	mode, parents := uint32(0o755), false
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-p" || a == "--parents":
			parents = true
		case a == "-m" && i+1 < len(args):
			m, err := strconv.ParseUint(args[i+1], 8, 12)
			if err != nil {
				return unknown, refuse("a mode in words")
			}
			mode = uint32(m)
			i++
		case strings.HasPrefix(a, "-") || !plainPath(a):
			return unknown, refuse("mkdir %s", a)
		default:
			st, err := s.test("-e", a)
			if err != nil {
				return unknown, err
			}
			if st == yes && !parents {
				return no, nil
			}
			if st == no {
				s.effects.Dirs = append(s.effects.Dirs, state.Dir{Path: path.Clean(a), Mode: mode, User: "root", Group: "root"})
			}
		}
	}
	return yes, nil
}

// install takes only install -d.
func install(s *system, args []string) (status, error) {
	if len(args) < 3 || args[1] != "-d" {
		return unknown, refuse("install without -d")
	}
	return mkdir(s, append([]string{"mkdir", "-p"}, args[2:]...))
}

var plain = regexp.MustCompile(`^/[^*?\[\]\\]*$`)

// plainPath reports whether an argument is an absolute path without patterns.
func plainPath(p string) bool { return plain.MatchString(p) }

// remove is rm and rmdir: of what the script made, or of what is not there, which is an error without -f.
func remove(s *system, args []string) (status, error) {
	st, force := yes, false
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") {
			force = force || args[0] == "rm" && !strings.HasPrefix(a, "--") && strings.Contains(a, "f")
			continue
		}
		if !path.IsAbs(a) {
			return unknown, refuse("%s %s", args[0], a)
		}
		there, err := s.remove(path.Clean(a))
		if err != nil {
			return unknown, err
		}
		if !there && !force {
			st = no
		}
	}
	return st, nil
}

// remove removes a link that the scripts made or a file of the package, and reports whether there was one.
func (s *system) remove(p string) (bool, error) {
	if i := slices.IndexFunc(s.effects.Links, func(l state.Link) bool { return l.Path == p }); i >= 0 {
		s.effects.Links = slices.Delete(s.effects.Links, i, i+1)
		return true, nil
	}
	f, own := s.file(p)
	switch {
	case own && f.Kind != deb.Folder && plainPath(p):
		delete(s.own, p)
		s.effects.Removed = append(s.effects.Removed, state.Removed{Path: p, Package: s.pkg.Package})
		return true, nil
	case own || s.folder(p):
		return false, refuse("it removes %s", p)
	}
	s.assumeAbsent(p)
	return false, nil
}

// link is ln -s TARGET PATH.
func link(s *system, args []string) (status, error) {
	symbolic := false
	var names []string
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			names = append(names, a)
			continue
		}
		if strings.Trim(a, "-snf") != "" {
			return unknown, refuse("ln %s", a)
		}
		symbolic = symbolic || strings.Contains(a, "s")
	}
	if !symbolic || len(names) != 2 || !plainPath(names[1]) {
		return unknown, refuse("a form of ln that is not known")
	}
	p := path.Clean(names[1])
	st, err := s.test("-e", p)
	if err != nil || st == unknown {
		return unknown, err
	}
	if st == yes {
		return unknown, refuse("it puts a link in the place of %s", p)
	}
	s.effects.Links = append(s.effects.Links, state.Link{Path: p, Target: names[0]})
	return yes, nil
}
