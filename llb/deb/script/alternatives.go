package script

import (
	"path"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// alternatives is update-alternatives(1): --install with its slaves, and --remove of what is not there.
func alternatives(s *system, args []string) (status, error) {
	rest := args[1:]
	for len(rest) > 0 && (rest[0] == "--quiet" || rest[0] == "--force") {
		rest = rest[1:]
	}
	switch {
	case len(rest) >= 5 && rest[0] == "--install":
		a, ok := newAlternative(rest[1:])
		if !ok {
			return unknown, refuse("an unknown form of update-alternatives")
		}
		s.effects.Alternatives = append(s.effects.Alternatives, a)
		return yes, nil
	case len(rest) == 3 && (rest[0] == "--remove" || rest[0] == "--remove-all") || len(rest) == 2 && rest[0] == "--remove-all":
		return s.removeAlternative(rest)
	}
	return unknown, refuse("an unknown form of update-alternatives")
}

// newAlternative reads LINK NAME PATH PRIORITY [--slave LINK NAME PATH]…
func newAlternative(args []string) (state.Alternative, bool) {
	priority, err := strconv.Atoi(args[3])
	a := state.Alternative{Link: args[0], Name: args[1], Path: args[2], Priority: priority}
	ok := err == nil && goodAlternative(a.Name, a.Link, a.Path)
	for args = args[4:]; len(args) > 0; args = args[4:] {
		if len(args) < 4 || args[0] != "--slave" || !goodAlternative(args[2], args[1], args[3]) {
			return a, false
		}
		a.Slaves = append(a.Slaves, state.Slave{Link: args[1], Name: args[2], Path: args[3]})
	}
	return a, ok
}

func goodAlternative(name, link, to string) bool {
	return name != "" && !strings.ContainsAny(name, "/ \t\n") && plainPath(link) && plainPath(to) && path.Clean(link) == link && path.Clean(to) == to
}

// removeAlternative takes the removal of a choice whose program is not there, which then is none.
func (s *system) removeAlternative(args []string) (status, error) {
	if len(args) == 3 && plainPath(args[2]) {
		if _, ok := s.own[args[2]]; !ok {
			s.assumeAbsent(args[2])
			return yes, nil
		}
	}
	for _, a := range s.effects.Alternatives {
		if a.Name == args[1] {
			return unknown, refuse("it removes an alternative of its own")
		}
	}
	s.assumeAbsent("/var/lib/dpkg/alternatives/" + args[1])
	return yes, nil
}
