package script

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// chown is chown USER[:GROUP] PATH… and chgrp GROUP PATH…, of directories that the script made and files of the package.
func chown(s *system, args []string) (status, error) {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "-h" {
		rest = rest[1:]
	}
	if len(rest) < 2 || strings.HasPrefix(rest[0], "-") {
		return unknown, refuse("%s %s", args[0], strings.Join(rest, " "))
	}
	user, group, _ := strings.Cut(strings.Replace(rest[0], ".", ":", 1), ":")
	if args[0] == "chgrp" {
		user, group = "", rest[0]
	}
	for _, name := range []string{user, group} {
		if name != "" && !accountName.MatchString(name) {
			return unknown, refuse("%s to %s", args[0], name)
		}
	}
	return s.change(rest[1:], func(u, g *string, mode *uint32, dir bool) {
		if user != "" {
			*u = user
		}
		if group != "" {
			*g = group
		}
		if !dir {
			*mode &^= 0o6000 // chown(2) clears them, but for directories
		}
	})
}

func chmod(s *system, args []string) (status, error) {
	if len(args) < 3 {
		return unknown, refuse("chmod without a file")
	}
	to, err := strconv.ParseUint(args[1], 8, 12)
	if err != nil {
		return unknown, refuse("chmod %s", args[1])
	}
	return s.change(args[2:], func(_, _ *string, mode *uint32, _ bool) { *mode = uint32(to) })
}

// change applies a change to directories that the script made and to files of the package.
func (s *system) change(paths []string, do func(user, group *string, mode *uint32, dir bool)) (status, error) {
	for _, a := range paths {
		p := path.Clean(a)
		if i := slices.IndexFunc(s.effects.Dirs, func(d state.Dir) bool { return d.Path == p }); i >= 0 {
			d := &s.effects.Dirs[i]
			do(&d.User, &d.Group, &d.Mode, true)
			continue
		}
		f, ok := s.file(p)
		if !ok || f.Kind == deb.Symlink || f.UID != 0 || f.GID != 0 {
			return unknown, refuse("it changes owner or mode of %s", a)
		}
		i := slices.IndexFunc(s.effects.Owners, func(o state.Owner) bool { return o.Path == p })
		if i < 0 {
			i = len(s.effects.Owners)
			s.effects.Owners = append(s.effects.Owners, state.Owner{Path: p, Package: s.pkg.Package, User: "root", Group: "root", Mode: f.Mode})
		}
		o := &s.effects.Owners[i]
		do(&o.User, &o.Group, &o.Mode, false)
	}
	return yes, nil
}
