package profiles

import (
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

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
		u.UID = readID(r.Report, s.uid, "uid")
		u.GID = u.UID
		if u.UID == 0 && !s.name.Set {
			u.Name = "root"
		}
	}
	if s.gid.Set {
		u.GID = readID(r.Report, s.gid, "gid")
	}
	if !userName.MatchString(u.Name) {
		badUser(r.Report, s.name.At, "%q cannot name a user", u.Name).Hint("Use lower-case letters, digits, _ and -; at most 32.")
	}
	if (u.Name == "root") != (u.UID == 0) {
		badUser(r.Report, s.at, "the user %s has uid %d: root and uid 0 belong together", u.Name, u.UID).
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
		badUser(r.Report, s.At, "the home directory %q %s", s.Value, why)
	}
	return path.Clean(s.Value)
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
