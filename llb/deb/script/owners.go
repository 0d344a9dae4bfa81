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

// accountName is what a user or group may be called.
var accountName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// chown is chown USER[:GROUP] PATH… and chgrp GROUP PATH…, of directories that the script made and files of the package.
func chown(r *reader, at syntax.Node, args []string) (status, error) {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "-h" {
		rest = rest[1:]
	}
	if len(rest) < 2 || strings.HasPrefix(rest[0], "-") {
		return unknown, r.refuse(at, "%s %s", args[0], strings.Join(rest, " "))
	}
	user, group, _ := strings.Cut(strings.Replace(rest[0], ".", ":", 1), ":")
	if args[0] == "chgrp" {
		user, group = "", rest[0]
	}
	for _, name := range []string{user, group} {
		if name != "" && !accountName.MatchString(name) {
			return unknown, r.refuse(at, "%s to %s", args[0], name)
		}
	}
	return r.change(at, rest[1:], func(u, g *string, mode *uint32, dir bool) {
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

func chmod(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) < 3 {
		return unknown, r.refuse(at, "chmod without a file")
	}
	to, err := strconv.ParseUint(args[1], 8, 12)
	if err != nil {
		return unknown, r.refuse(at, "chmod %s", args[1])
	}
	return r.change(at, args[2:], func(_, _ *string, mode *uint32, _ bool) { *mode = uint32(to) })
}

// change applies a change to directories that the script made and to files of the package.
func (r *reader) change(at syntax.Node, paths []string, do func(user, group *string, mode *uint32, dir bool)) (status, error) {
	for _, a := range paths {
		p := path.Clean(a)
		if i := slices.IndexFunc(r.effects.Dirs, func(d state.Dir) bool { return d.Path == p }); i >= 0 {
			d := &r.effects.Dirs[i]
			do(&d.User, &d.Group, &d.Mode, true)
			continue
		}
		f, ok := r.own[p]
		if !ok || !r.unpacked() || f.Kind == deb.Symlink || f.UID != 0 || f.GID != 0 {
			return unknown, r.refuse(at, "it changes owner or mode of %s", a)
		}
		i := slices.IndexFunc(r.effects.Owners, func(o state.Owner) bool { return o.Path == p })
		if i < 0 {
			i = len(r.effects.Owners)
			r.effects.Owners = append(r.effects.Owners, state.Owner{Path: p, Package: r.info.Package, User: "root", Group: "root", Mode: f.Mode})
		}
		o := &r.effects.Owners[i]
		do(&o.User, &o.Group, &o.Mode, false)
	}
	return yes, nil
}

// getent asks for a user or group. It is answered as if there was none: what follows makes it, and rules make only what the
// base does not have.
func getent(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) == 3 && (args[1] == "passwd" || args[1] == "group") && accountName.MatchString(args[2]) {
		switch args[2] {
		case "root", "daemon", "bin", "sys", "adm", "tty", "disk", "mail", "staff", "users", "nogroup", "nobody", "www-data":
			return yes, nil // base-passwd's
		}
		made := slices.ContainsFunc(r.effects.Groups, func(g state.Group) bool { return args[1] == "group" && g.Name == args[2] }) ||
			slices.ContainsFunc(r.effects.Users, func(u state.User) bool { return args[1] == "passwd" && u.Name == args[2] })
		return statusOf(made), nil
	}
	return unknown, r.refuse(at, "getent %s", strings.Join(args[1:], " "))
}

// options are the options of adduser and its like, with or without a value.
type options struct {
	flags  map[string]bool
	values map[string]string
	names  []string
}

// parseOptions sorts arguments. withValue are the options that take one.
func parseOptions(args []string, flags, withValue string) (options, bool) {
	o := options{flags: map[string]bool{}, values: map[string]string{}}
	has := func(list, name string) bool { return strings.Contains(" "+list+" ", " "+name+" ") }
	for i := 0; i < len(args); i++ {
		name, text, joined := strings.Cut(args[i], "=")
		switch {
		case !strings.HasPrefix(args[i], "-"):
			o.names = append(o.names, args[i])
		case has(flags, args[i]):
			o.flags[args[i]] = true
		case has(withValue, name) && joined:
			o.values[name] = text
		case has(withValue, args[i]) && i+1 < len(args):
			i++
			o.values[name] = args[i]
		default:
			return o, false
		}
	}
	return o, true
}

// addgroup is addgroup --system and groupadd -r.
func addgroup(r *reader, at syntax.Node, args []string) (status, error) {
	o, ok := parseOptions(args[1:], "--system -r --quiet -q --force-badname --allow-bad-names -f", "--gid -g")
	if !ok || len(o.names) != 1 || !o.flags["--system"] && !o.flags["-r"] {
		return unknown, r.refuse(at, "%s %s", args[0], strings.Join(args[1:], " "))
	}
	gid, err := number(o.values["--gid"] + o.values["-g"])
	if err != nil || !accountName.MatchString(o.names[0]) {
		return unknown, r.refuse(at, "%s %s", args[0], strings.Join(args[1:], " "))
	}
	r.addGroup(state.Group{Name: o.names[0], GID: gid})
	return yes, nil
}

func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.Atoi(s)
}

func (r *reader) addGroup(g state.Group) {
	if !slices.ContainsFunc(r.effects.Groups, func(o state.Group) bool { return o.Name == g.Name }) {
		r.effects.Groups = append(r.effects.Groups, g)
	}
}

// adduser is adduser --system and useradd -r.
func adduser(r *reader, at syntax.Node, args []string) (status, error) {
	flags := "--system --quiet -q --group --disabled-password --disabled-login --no-create-home --force-badname --allow-bad-names"
	values := "--home --shell --gecos --ingroup --uid --comment"
	if args[0] == "useradd" {
		flags = "--system -r -M --no-create-home -m --create-home -U --user-group -N --no-user-group"
		values = "-d --home-dir --home -s --shell -c --comment -g --gid -u --uid"
	}
	o, ok := parseOptions(args[1:], flags, values)
	u, good := newUser(args[0] == "useradd", o)
	if !ok || !good {
		return unknown, r.refuse(at, "%s %s", args[0], strings.Join(args[1:], " "))
	}
	if !slices.ContainsFunc(r.effects.Users, func(o state.User) bool { return o.Name == u.Name }) {
		r.effects.Users = append(r.effects.Users, u)
	}
	return yes, nil
}

// newUser makes a user of options, with the defaults of adduser 3.134 or useradd.
func newUser(useradd bool, o options) (state.User, bool) {
	first := func(names ...string) string {
		for _, n := range names {
			if v := o.values[n]; v != "" {
				return v
			}
		}
		return ""
	}
	system := o.flags["--system"] || o.flags["-r"]
	if !system || len(o.names) != 1 || !accountName.MatchString(o.names[0]) {
		return state.User{}, false
	}
	u := state.User{
		Name: o.names[0], Group: first("--ingroup", "-g", "--gid"), Gecos: strings.TrimRight(first("--gecos", "--comment", "-c"), ","),
		Home: first("--home", "-d", "--home-dir"), Shell: first("--shell", "-s"),
	}
	var err error
	u.UID, err = number(first("--uid", "-u"))
	if u.Group == "" && (o.flags["--group"] || o.flags["-U"] || o.flags["--user-group"] || useradd) {
		u.Group = u.Name
	}
	u.MakeHome = u.Home != "" && !o.flags["--no-create-home"] && !useradd || o.flags["-m"] || o.flags["--create-home"]
	if u.Home == "" {
		u.Home = "/nonexistent"
		if useradd {
			u.Home = "/home/" + u.Name
		}
	}
	if u.Shell == "" {
		u.Shell = "/usr/sbin/nologin"
		if useradd {
			u.Shell = "/bin/sh"
		}
	}
	for _, s := range []string{u.Home, u.Shell, u.Gecos, u.Group} {
		if strings.ContainsAny(s, ":\n") {
			return u, false
		}
	}
	_, numeric := strconv.Atoi(u.Group)
	return u, err == nil && numeric != nil && strings.HasPrefix(u.Home, "/")
}
