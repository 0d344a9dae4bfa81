package script

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb/state"
)

// accountName is what a user or group may be called.
var accountName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// getent asks for a user or group. It is answered as if there was none: what follows makes it, and rules make only what the
// base does not have.
func getent(s *system, args []string) (status, error) {
	if len(args) == 3 && (args[1] == "passwd" || args[1] == "group") && accountName.MatchString(args[2]) {
		switch args[2] {
		case "root", "daemon", "bin", "sys", "adm", "tty", "disk", "mail", "staff", "users", "nogroup", "nobody", "www-data":
			return yes, nil // base-passwd's
		}
		if args[1] == "group" {
			return statusOf(s.hasGroup(args[2])), nil
		}
		return statusOf(s.hasUser(args[2])), nil
	}
	return unknown, refuse("getent %s", strings.Join(args[1:], " "))
}

// hasGroup reports whether the scripts made a group.
func (s *system) hasGroup(name string) bool {
	return slices.ContainsFunc(s.effects.Groups, func(g state.Group) bool { return g.Name == name })
}

// hasUser reports whether the scripts made a user.
func (s *system) hasUser(name string) bool {
	return slices.ContainsFunc(s.effects.Users, func(u state.User) bool { return u.Name == name })
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
func addgroup(s *system, args []string) (status, error) {
	o, ok := parseOptions(args[1:], "--system -r --quiet -q --force-badname --allow-bad-names -f", "--gid -g")
	if !ok || len(o.names) != 1 || !o.flags["--system"] && !o.flags["-r"] {
		return unknown, refuse("%s %s", args[0], strings.Join(args[1:], " "))
	}
	gid, err := number(o.values["--gid"] + o.values["-g"])
	if err != nil || !accountName.MatchString(o.names[0]) {
		return unknown, refuse("%s %s", args[0], strings.Join(args[1:], " "))
	}
	if !s.hasGroup(o.names[0]) {
		s.effects.Groups = append(s.effects.Groups, state.Group{Name: o.names[0], GID: gid})
	}
	return yes, nil
}

func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.Atoi(s)
}

// adduser is adduser --system and useradd -r.
func adduser(s *system, args []string) (status, error) {
	flags := "--system --quiet -q --group --disabled-password --disabled-login --no-create-home --force-badname --allow-bad-names"
	values := "--home --shell --gecos --ingroup --uid --comment"
	if args[0] == "useradd" {
		flags = "--system -r -M --no-create-home -m --create-home -U --user-group -N --no-user-group"
		values = "-d --home-dir --home -s --shell -c --comment -g --gid -u --uid"
	}
	o, ok := parseOptions(args[1:], flags, values)
	u, good := newUser(args[0] == "useradd", o)
	if !ok || !good {
		return unknown, refuse("%s %s", args[0], strings.Join(args[1:], " "))
	}
	if !s.hasUser(u.Name) {
		s.effects.Users = append(s.effects.Users, u)
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
	for _, text := range []string{u.Home, u.Shell, u.Gecos, u.Group} {
		if strings.ContainsAny(text, ":\n") {
			return u, false
		}
	}
	_, numeric := strconv.Atoi(u.Group)
	return u, err == nil && numeric != nil && strings.HasPrefix(u.Home, "/")
}
