// Package account adds one user to a user database (passwd(5), group(5), shadow(5), gshadow(5)) and writes its files anew. The helper runs it on the /etc
// of a base, so that the image's user has a name without a shell, useradd or a step on the image.
package account

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// User is the account that the image runs as.
type User struct {
	Name string
	UID  int
	GID  int
	Home string // absolute
}

// maxDatabase bounds what is read of a base's passwd and group, in bytes. A base is somebody else's input.
const maxDatabase = 4 << 20

// Add reads the database below etc and writes it with u below out/etc, every file and directory with the given time. A missing passwd or group
// counts as empty. Of shadow and gshadow those are written that are there and get a line: without one there, sudo, su and sshd take the account for locked.
// An account that has the uid or the name already stays as it is if both agree; fault.User if the name stands for another uid.
func Add(etc fs.FS, out *os.Root, u User, at time.Time) error {
	was := map[string]string{}
	for _, name := range []string{"passwd", "group", "shadow", "gshadow"} {
		text, err := read(etc, name)
		if err != nil {
			return err
		}
		was[name] = text
	}
	passwd, err := addUser(was["passwd"], u)
	if err != nil {
		return err
	}
	group := addGroup(was["group"], u)
	files := []file{{"passwd", passwd, 0o644, 0}, {"group", group, 0o644, 0}}
	shadowGID := gidOf(group, "shadow")
	if text := was["shadow"]; text != "" && passwd != was["passwd"] && !named(text, u.Name) {
		files = append(files, file{"shadow", appendLine(text, u.Name+":*:::::::"), 0o640, shadowGID}) // no password fits, and it is not locked
	}
	if text := was["gshadow"]; text != "" && group != was["group"] && !named(text, u.Name) {
		files = append(files, file{"gshadow", appendLine(text, u.Name+":!::"), 0o640, shadowGID})
	}
	return write(out, files, at)
}

// file is a file of the database as it is written; its owner is root.
type file struct {
	name, text string
	mode       fs.FileMode
	gid        int
}

// gidOf is the number of a group, 0 if there is none of the name.
func gidOf(group, name string) int {
	for _, e := range entries(group) {
		if gid, err := strconv.Atoi(field(e, 2)); e[0] == name && err == nil {
			return gid
		}
	}
	return 0
}

// named reports whether a file of the database has a line of a name.
func named(text, name string) bool {
	return slices.ContainsFunc(entries(text), func(e []string) bool { return e[0] == name })
}

func read(etc fs.FS, name string) (string, error) {
	info, err := fs.Stat(etc, name)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", fault.New(fault.User, "the base's /etc/%s: %w", name, err)
	}
	if info.Size() > maxDatabase {
		return "", fault.New(fault.User, "the base's /etc/%s has %d bytes, more than the %d that a user database may have", name, info.Size(), maxDatabase)
	}
	data, err := fs.ReadFile(etc, name)
	if err != nil {
		return "", fault.New(fault.User, "the base's /etc/%s: %w", name, err)
	}
	return string(data), nil
}

func addUser(passwd string, u User) (string, error) {
	for _, e := range entries(passwd) {
		uid := field(e, 2)
		switch {
		case uid == strconv.Itoa(u.UID):
			return passwd, nil // the uid has a name; whose it is does not matter
		case e[0] == u.Name:
			return "", fault.New(fault.User, "the base has a user %s already, with uid %s and not %d", u.Name, uid, u.UID).
				Hint("set user: {name: …} or user: {uid: %s} in mlbuild.yaml", uid)
		}
	}
	return appendLine(passwd, fmt.Sprintf("%s:x:%d:%d::%s:/sbin/nologin", u.Name, u.UID, u.GID, u.Home)), nil
}

func addGroup(group string, u User) string {
	taken := slices.ContainsFunc(entries(group), func(e []string) bool { return e[0] == u.Name })
	exists := slices.ContainsFunc(entries(group), func(e []string) bool { return field(e, 2) == strconv.Itoa(u.GID) })
	if exists || taken {
		return group
	}
	return appendLine(group, fmt.Sprintf("%s:x:%d:", u.Name, u.GID))
}

func entries(database string) [][]string {
	var all [][]string
	for line := range strings.Lines(database) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) > 2 {
			all = append(all, fields)
		}
	}
	return all
}

func field(entry []string, i int) string { return strings.TrimSpace(entry[i]) }

func appendLine(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}

func write(out *os.Root, files []file, at time.Time) error {
	if err := out.Mkdir("etc", 0o755); err != nil && !os.IsExist(err) {
		return fault.New(fault.Internal, "make etc: %w", err)
	}
	for _, f := range files {
		path := "etc/" + f.name
		if err := out.WriteFile(path, []byte(f.text), f.mode); err != nil {
			return fault.New(fault.Internal, "write %s: %w", path, err)
		}
		if f.gid != 0 {
			if err := out.Chown(path, 0, f.gid); err != nil {
				return fault.New(fault.Internal, "set the group of %s: %w", path, err)
			}
		}
		if err := out.Chmod(path, f.mode); err != nil {
			return fault.New(fault.Internal, "set the mode of %s: %w", path, err)
		}
		if err := out.Chtimes(path, at, at); err != nil {
			return fault.New(fault.Internal, "set the time of %s: %w", path, err)
		}
	}
	for _, dir := range []string{"etc", "."} {
		if err := out.Chtimes(dir, at, at); err != nil {
			return fault.New(fault.Internal, "set the time of %s: %w", dir, err)
		}
	}
	return nil
}
