package profiles

import (
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

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

// hasDotDot reports whether a path goes up.
func hasDotDot(p string) bool {
	return p == ".." || strings.HasPrefix(p, "../") || strings.HasSuffix(p, "/..") || strings.Contains(p, "/../")
}

// under returns the tree that holds p or is p, "" if none does.
func under(p string, trees []string) string {
	p = path.Clean(p)
	for _, tree := range trees {
		if p == tree || strings.HasPrefix(p, tree+"/") {
			return tree
		}
	}
	return ""
}

// below is a path in the image as it is written: absolute, or below a directory. One that goes up is left for badDirectory to refuse.
func below(dir, p string) string {
	if path.IsAbs(p) || hasDotDot(p) {
		return p
	}
	return path.Join(dir, p)
}

// badPlace says why nothing of the project can lie at a path of the image, "" if it can.
func badPlace(p string) string {
	tree := under(p, systemTrees)
	switch why := badDirectory(p); {
	case why != "":
		return why
	case tree != "":
		return "lies in " + tree + ", which belongs to the system"
	case path.Clean(p) == "/":
		return "is the root of the image"
	}
	return ""
}

// readPlace reads a path in the image: absolute, or below the working directory.
func readPlace(report *yamldoc.Report, s yamldoc.String, workdir, what string) (string, bool) {
	p := below(workdir, s.Value)
	if why := badPlace(p); why != "" {
		report.Specf(s.At, "%s %q %s", what, s.Value, why)
		return p, false
	}
	return path.Clean(p), true
}

// defaultWorkdir is the working directory of an image that names none.
const defaultWorkdir = "/app"

// readWorkdir reads app.workdir.
func readWorkdir(report *yamldoc.Report, s yamldoc.String) string {
	if !s.Set {
		return defaultWorkdir
	}
	if why := badPlace(s.Value); why != "" {
		report.Specf(s.At, "app.workdir %q %s", s.Value, why).Hint("for example workdir: %s", defaultWorkdir)
		return defaultWorkdir
	}
	return path.Clean(s.Value)
}

// closedTrees are those that files from elsewhere do not go to. What is left of the system, /usr and /etc, is open to them.
var closedTrees = []string{
	"/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/lock", "/var/lib/dpkg", "/opt/venv", "/tmp", "/var/tmp",
}

// linkedTrees are symbolic links into /usr on today's distributions. A layer's directory of that name would replace the link.
var linkedTrees = []string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// stepDestination reads the destination of files from elsewhere; a trailing slash is kept.
func stepDestination(report *yamldoc.Report, s yamldoc.String, workdir string) (string, bool) {
	p := below(workdir, s.Value)
	why, hint := badDirectory(p), ""
	if tree := under(p, closedTrees); why == "" && tree != "" {
		why = "lies in " + tree + ", which belongs to the system"
	}
	if tree := under(p, linkedTrees); why == "" && tree != "" {
		why, hint = "lies in "+tree+", which is a link to /usr"+tree, "write /usr"+p
	}
	slash := strings.HasSuffix(s.Value, "/") || s.Value == "."
	if why == "" && path.Clean(p) == "/" && !slash {
		why = "is the root of the image"
	}
	if why != "" {
		f := report.Specf(s.At, "the destination %q %s", s.Value, why)
		if hint != "" {
			f.Hint("%s", hint)
		}
		return "", false
	}
	p = path.Clean(p)
	if slash {
		p = strings.TrimSuffix(p, "/") + "/"
	}
	return p, true
}
