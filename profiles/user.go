package profiles

import (
	"path"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// maxID is the highest uid and gid: container runtimes hold them in 32 signed bits, and a higher one once
// wrapped around to root (CVE-2024-40635).
const maxID = 1<<31 - 1

var userName = lazyregexp.New(`^[a-z_][a-z0-9_-]{0,31}$`)

// user decides who the image runs as: app with uid and gid 1000, unless the project says otherwise.
func (r *resolver) user() {
	s := r.spec.user
	u := &r.recipe.User
	u.Name = s.name.Or("app")
	u.UID, u.GID = 1000, 1000
	if u.Name == "root" {
		u.UID, u.GID = 0, 0
	}
	if s.uid.Set {
		u.UID = r.id(s.uid, "uid")
		u.GID = u.UID
		if u.UID == 0 && !s.name.Set {
			u.Name = "root"
		}
	}
	if s.gid.Set {
		u.GID = r.id(s.gid, "gid")
	}
	if !userName.MatchString(u.Name) {
		r.badUser(s.name.At, "%q cannot name a user", u.Name).Hint("Use lower-case letters, digits, _ and -; at most 32.")
	}
	if (u.Name == "root") != (u.UID == 0) {
		r.badUser(s.at, "the user %s has uid %d: root and uid 0 belong together", u.Name, u.UID).
			Hint("Write user: root, or another name and uid.")
	}
	if u.UID == 0 {
		r.Notef("the image runs as root")
	}
	u.Home = r.home(s.home, u.Name)
}

func (r *resolver) home(s yamldoc.String, name string) string {
	if !s.Set {
		if name == "root" {
			return "/root"
		}
		return "/home/" + name
	}
	if why := badDirectory(s.Value); why != "" {
		r.badUser(s.At, "the home directory %q %s", s.Value, why)
	}
	return path.Clean(s.Value)
}

func (r *resolver) id(n yamldoc.Number, what string) int {
	if n.Value < 0 || n.Value > maxID {
		r.badUser(n.At, "the %s %d is impossible; it must lie between 0 and %d", what, n.Value, maxID)
		return 1000
	}
	return int(n.Value)
}

func (r *resolver) badUser(at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.User, format, args...).In(at)
	r.Add(f)
	return f
}

// kernelTrees are made by the kernel or the runtime when a container starts.
var kernelTrees = []string{"/proc", "/sys", "/dev"}

// systemTrees belong to the base image and to mlbuild; project files do not go there.
var systemTrees = []string{
	"/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/etc", "/boot", "/run",
	"/var/lib/dpkg", "/var/run", "/opt/venv", "/tmp", "/var/tmp",
}

// badDirectory says why a path cannot be a directory that the image works in, "" if it can.
func badDirectory(p string) string {
	switch {
	case !path.IsAbs(p):
		return "is not absolute"
	case strings.ContainsAny(p, "\x00\n"):
		return "holds a control character"
	case hasDotDot(p):
		return "holds .."
	case under(p, kernelTrees) != "":
		return "lies in " + under(p, kernelTrees) + ", which the kernel makes"
	}
	return ""
}

func hasDotDot(p string) bool {
	return p == ".." || strings.HasPrefix(p, "../") || strings.HasSuffix(p, "/..") || strings.Contains(p, "/../")
}

// under gives the tree that holds p or is p, "" if none does.
func under(p string, trees []string) string {
	p = path.Clean(p)
	for _, tree := range trees {
		if p == tree || strings.HasPrefix(p, tree+"/") {
			return tree
		}
	}
	return ""
}

// owner reads "uid:gid" or "uid".
func (r *resolver) owner(s yamldoc.String) (uid, gid int) {
	if !s.Set {
		return r.recipe.User.UID, r.recipe.User.GID
	}
	left, right, both := strings.Cut(s.Value, ":")
	if !both {
		right = left
	}
	uid64, err := strconv.ParseInt(left, 10, 64)
	gid64, err2 := strconv.ParseInt(right, 10, 64)
	if err != nil || err2 != nil || min(uid64, gid64) < 0 || max(uid64, gid64) > maxID {
		r.badUser(s.At, "%q is not an owner", s.Value).Hint("Write uid:gid in numbers, for example \"1000:1000\".")
		return 0, 0
	}
	return int(uid64), int(gid64)
}

// mode reads octal permission bits.
func (r *resolver) mode(s yamldoc.String, fallback int) int {
	if !s.Set {
		return fallback
	}
	m, err := strconv.ParseUint(strings.TrimPrefix(s.Value, "0o"), 8, 32)
	if err != nil || m > 0o777 { // BuildKit's file operations know no more bits
		r.Specf(s.At, "%q is not a mode", s.Value).Hint("Write octal permission bits, for example \"0755\".")
		return fallback
	}
	return int(m)
}
