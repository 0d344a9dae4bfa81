package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// System ids are given out from below, as adduser does (FIRST_SYSTEM_UID and LAST_SYSTEM_UID of adduser.conf).
const (
	firstSystemID = 100
	lastSystemID  = 999
	noGroup       = 65534
)

// database is passwd(5) or group(5): lines whose first field is a name and whose third is an id.
type database struct {
	name  string
	lines []string
	ids   map[string]int // by name
	taken map[int]bool
	grown bool
}

func (t *tree) database(name string) (*database, error) {
	text, err := read(t.img.Base, "etc/"+name)
	if err != nil {
		return nil, err
	}
	d := &database{name: name, ids: map[string]int{}, taken: map[int]bool{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		d.lines = append(d.lines, line)
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		if id, err := strconv.Atoi(fields[2]); err == nil {
			d.ids[fields[0]] = id
			d.taken[id] = true
		}
	}
	return d, nil
}

func (d *database) has(name string) bool {
	_, ok := d.ids[name]
	return ok
}

func (d *database) add(name string, id int, line string) {
	d.lines = append(d.lines, line)
	d.ids[name], d.taken[id], d.grown = id, true, true
}

func (d *database) text() string { return strings.Join(d.lines, "\n") + "\n" }

// accounts makes groups and users, and writes the databases if there are new ones.
func (t *tree) accounts(e Effects) error {
	var err error
	if t.passwd, err = t.database("passwd"); err != nil {
		return err
	}
	if t.group, err = t.database("group"); err != nil {
		return err
	}
	var users, groups []string // new ones
	for _, g := range e.Groups {
		if t.group.has(g.Name) {
			continue
		}
		if err := t.addGroup(g.Name, g.GID); err != nil {
			return err
		}
		groups = append(groups, g.Name)
	}
	for _, u := range e.Users {
		if t.passwd.has(u.Name) {
			continue
		}
		made, err := t.addUser(u)
		if err != nil {
			return err
		}
		users = append(users, u.Name)
		groups = append(groups, made...)
	}
	for _, d := range []*database{t.passwd, t.group} {
		if d.grown {
			t.file("/etc/"+d.name, d.text(), 0o644, 0, 0)
		}
	}
	return t.shadows(users, groups)
}

// shadows adds the new names to shadow(5) and gshadow(5), locked and without a date, if the base has these files.
func (t *tree) shadows(users, groups []string) error {
	for _, s := range []struct {
		name, rest string
		names      []string
	}{{"shadow", ":!:::::::", users}, {"gshadow", ":!::", groups}} {
		text, err := read(t.img.Base, "etc/"+s.name)
		if err != nil {
			return err
		}
		if text == "" || len(s.names) == 0 {
			continue
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		for _, name := range s.names {
			text += name + s.rest + "\n"
		}
		t.file("/etc/"+s.name, text, 0o640, 0, t.group.ids["shadow"])
	}
	return nil
}

func (t *tree) addGroup(name string, gid int) error {
	if gid == 0 {
		var err error
		if gid, err = free(t.group); err != nil {
			return err
		}
	} else if t.group.taken[gid] {
		return fault.New(fault.Deb, "the group %s is to have the id %d, which another group of the base has", name, gid)
	}
	t.group.add(name, gid, fmt.Sprintf("%s:x:%d:", name, gid))
	return nil
}

// addUser makes a user, and the group of its name if it has one of its own; it tells that group.
func (t *tree) addUser(u User) (groups []string, err error) {
	uid := u.UID
	own := u.Group == u.Name && !t.group.has(u.Name)
	switch {
	case uid != 0 && t.passwd.taken[uid]:
		return nil, fault.New(fault.Deb, "the user %s is to have the id %d, which another user of the base has", u.Name, uid)
	case uid != 0:
	case own:
		uid, err = free(t.passwd, t.group)
	default:
		uid, err = free(t.passwd)
	}
	if err != nil {
		return nil, err
	}
	gid, known := t.group.ids[u.Group]
	switch {
	case own:
		if err := t.addGroup(u.Name, uid); err != nil {
			return nil, err
		}
		gid, groups = uid, []string{u.Name}
	case u.Group == "":
		gid = noGroup
	case !known:
		return nil, fault.New(fault.Deb, "the user %s is to be in the group %s, which does not exist", u.Name, u.Group)
	}
	t.passwd.add(u.Name, uid, fmt.Sprintf("%s:x:%d:%d:%s:%s:%s", u.Name, uid, gid, u.Gecos, u.Home, u.Shell))
	if u.MakeHome && !t.exists(u.Home) {
		t.made[u.Home] = deb.Made{File: deb.File{Path: u.Home, Kind: deb.Folder, Mode: 0o755, UID: uid, GID: gid}}
	}
	return groups, nil
}

// free is the lowest system id that none of the databases has.
func free(all ...*database) (int, error) {
	for id := firstSystemID; id <= lastSystemID; id++ {
		if !slices.ContainsFunc(all, func(d *database) bool { return d.taken[id] }) {
			return id, nil
		}
	}
	return 0, fault.New(fault.Deb, "the base has no free id for a system user or group")
}

// ids returns the numbers of a user and a group.
func (t *tree) ids(user, group string) (uid, gid int, err error) {
	for _, x := range []struct {
		name string
		db   *database
		to   *int
	}{{user, t.passwd, &uid}, {group, t.group, &gid}} {
		id, ok := x.db.ids[x.name]
		if !ok && x.name != "root" {
			return 0, 0, fault.New(fault.Deb, "the base's /etc/%s has no %s", x.db.name, x.name)
		}
		*x.to = id
	}
	return uid, gid, nil
}
