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

// ReadOwner reads "uid:gid" or "uid"; without a text it is the image's user.
func ReadOwner(report *yamldoc.Report, s yamldoc.String, user recipe.User) (uid, gid int) {
	if !s.Set {
		return user.UID, user.GID
	}
	left, right, both := strings.Cut(s.Value, ":")
	if !both {
		right = left
	}
	uid64, err := strconv.ParseInt(left, 10, 64)
	gid64, err2 := strconv.ParseInt(right, 10, 64)
	if err != nil || err2 != nil || min(uid64, gid64) < 0 || max(uid64, gid64) > MaxID {
		report.Add(fault.New(fault.User, "%q is not an owner", s.Value).In(s.At).Hint("write uid:gid in numbers, for example \"1000:1000\""))
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
