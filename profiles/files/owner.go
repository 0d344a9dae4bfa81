package files

import (
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// MaxID is the highest uid and gid: container runtimes hold them in 32 signed bits, and a higher one once
// wrapped around to root (CVE-2024-40635).
const MaxID = 1<<31 - 1

// The accounts that Debian and Ubuntu number once and for all (base-passwd).
var (
	systemUsers = map[string]int{
		"root": 0, "daemon": 1, "bin": 2, "sys": 3, "sync": 4, "games": 5, "man": 6, "lp": 7, "mail": 8, "news": 9, "uucp": 10, "proxy": 13, "www-data": 33, "backup": 34, "list": 38, "nobody": 65534,
	}
	systemGroups = map[string]int{
		"root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "disk": 6, "lp": 7, "mail": 8, "news": 9, "uucp": 10, "man": 12, "proxy": 13, "kmem": 15, "dialout": 20, "fax": 21, "voice": 22,
		"cdrom": 24, "floppy": 25, "tape": 26, "sudo": 27, "audio": 29, "dip": 30, "www-data": 33, "backup": 34, "operator": 37, "list": 38, "irc": 39, "src": 40, "shadow": 42, "utmp": 43,
		"video": 44, "sasl": 45, "plugdev": 46, "staff": 50, "games": 60, "users": 100, "nogroup": 65534,
	}
)

// idOf reads a number, or the name of the image's account or one that every Debian has.
func idOf(text, own string, ownID int, system map[string]int) (int64, bool) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		return id, true
	}
	if text == own && own != "" {
		return int64(ownID), true
	}
	id, known := system[text]
	return int64(id), known
}

// ReadOwner reads "uid:gid", "uid", or the names of accounts: the image's user, and those that every Debian has. Without a text it is the image's user. A user alone stands for its
// group, too.
func ReadOwner(report *yamldoc.Report, s yamldoc.String, user recipe.User) (uid, gid int) {
	if !s.Set {
		return user.UID, user.GID
	}
	left, right, both := strings.Cut(s.Value, ":")
	if !both {
		right = left
		if left == "nobody" {
			right = "nogroup"
		}
	}
	uid64, known := idOf(left, user.Name, user.UID, systemUsers)
	gid64, known2 := idOf(right, user.Name, user.GID, systemGroups)
	if !known || !known2 || min(uid64, gid64) < 0 || max(uid64, gid64) > MaxID {
		f := fault.New(fault.User, "%q is not an owner", s.Value).In(s.At).Hint("write uid:gid in numbers, for example \"1000:1000\"")
		names := "root, www-data and others that every Debian has"
		if user.Name != "" {
			names = "the image's user " + user.Name + ", " + names
		}
		report.Add(f.Hint("by their names are known: %s", names))
		return 0, 0
	}
	return int(uid64), int(gid64)
}

// ReadMode reads octal permission bits.
func ReadMode(report *yamldoc.Report, s yamldoc.String, fallback int) int {
	if !s.Set {
		return fallback
	}
	m, err := strconv.ParseUint(strings.TrimPrefix(s.Value, "0o"), 8, 32)
	if err != nil || m > 0o777 { // BuildKit's file operations know no more bits
		report.Specf(s.At, "%q is not a mode", s.Value).Hint("write octal permission bits, for example \"0755\"")
		return fallback
	}
	return int(m)
}
