// Package account adds one user to a user database (passwd(5), group(5)) and writes the two files anew. The helper runs it on the /etc
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

// Add reads passwd and group below etc and writes both with u below out/etc, every file and directory with the given time. A missing
// file counts as empty. An account that has the uid or the name already stays as it is if both agree; fault.User if the name stands for another uid.
func Add(etc fs.FS, out *os.Root, u User, at time.Time) error {
	passwd, err := read(etc, "passwd")
	if err != nil {
		return err
	}
	group, err := read(etc, "group")
	if err != nil {
		return err
	}
	if passwd, err = addUser(passwd, u); err != nil {
		return err
	}
	return write(out, map[string]string{"passwd": passwd, "group": addGroup(group, u)}, at)
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

func write(out *os.Root, files map[string]string, at time.Time) error {
	if err := out.Mkdir("etc", 0o755); err != nil && !os.IsExist(err) {
		return fault.New(fault.Internal, "make etc: %w", err)
	}
	for _, name := range []string{"passwd", "group"} {
		path := "etc/" + name
		if err := out.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			return fault.New(fault.Internal, "write %s: %w", path, err)
		}
		if err := out.Chmod(path, 0o644); err != nil {
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
