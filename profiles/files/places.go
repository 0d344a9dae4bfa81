package files

import (
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// KernelTrees are made by the kernel or the runtime when a container starts.
var KernelTrees = []string{"/proc", "/sys", "/dev"}

// systemTrees belong to the base image and to mlbuild; project files do not go there.
var systemTrees = []string{
	"/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/etc", "/boot", "/run",
	"/var/lib/dpkg", "/var/run", "/opt/venv", "/tmp", "/var/tmp",
}

// BadDirectory says why a path cannot be a directory that the image works in, "" if it can.
func BadDirectory(p string) string {
	switch {
	case !path.IsAbs(p):
		return "is not absolute"
	case strings.ContainsAny(p, "\x00\n"):
		return "holds a control character"
	case HasDotDot(p):
		return "holds .."
	case Under(p, KernelTrees) != "":
		return "lies in " + Under(p, KernelTrees) + ", which the kernel makes"
	}
	return ""
}

// HasDotDot reports whether a path goes up.
func HasDotDot(p string) bool {
	return p == ".." || strings.HasPrefix(p, "../") || strings.HasSuffix(p, "/..") || strings.Contains(p, "/../")
}

// Under returns the tree that holds p or is p, "" if none does.
func Under(p string, trees []string) string {
	p = path.Clean(p)
	for _, tree := range trees {
		if p == tree || strings.HasPrefix(p, tree+"/") {
			return tree
		}
	}
	return ""
}

// below is a path in the image as it is written: absolute, or below a directory. One that goes up is left for BadDirectory to refuse.
func below(dir, p string) string {
	if path.IsAbs(p) || HasDotDot(p) {
		return p
	}
	return path.Join(dir, p)
}

// BadPlace says why nothing of the project can lie at a path of the image, "" if it can.
func BadPlace(p string) string {
	tree := Under(p, systemTrees)
	switch why := BadDirectory(p); {
	case why != "":
		return why
	case tree != "":
		return "lies in " + tree + ", which belongs to the system"
	case path.Clean(p) == "/":
		return "is the root of the image"
	}
	return ""
}

// ReadPlace reads a path in the image: absolute, or below the working directory.
func ReadPlace(report *yamldoc.Report, s yamldoc.String, workdir, what string) (string, bool) {
	p := below(workdir, s.Value)
	if why := BadPlace(p); why != "" {
		report.Specf(s.At, "%s %q %s", what, s.Value, why)
		return p, false
	}
	return path.Clean(p), true
}

// DefaultWorkdir is the working directory of an image that names none.
const DefaultWorkdir = "/app"

// ReadWorkdir reads app.workdir.
func ReadWorkdir(report *yamldoc.Report, s yamldoc.String) string {
	if !s.Set {
		return DefaultWorkdir
	}
	if why := BadPlace(s.Value); why != "" {
		report.Specf(s.At, "app.workdir %q %s", s.Value, why).Hint("for example workdir: %s", DefaultWorkdir)
		return DefaultWorkdir
	}
	return path.Clean(s.Value)
}

// closedTrees are those that files from elsewhere do not go to. What is left of the system, /usr and /etc, is open to them.
var closedTrees = []string{
	"/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/lock", "/var/lib/dpkg", "/opt/venv", "/tmp", "/var/tmp",
}

// linkedTrees are symbolic links into /usr on today's distributions. A layer's directory of that name would replace the link.
var linkedTrees = []string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// StepDestination reads the destination of files from elsewhere; a trailing slash is kept.
func StepDestination(report *yamldoc.Report, s yamldoc.String, workdir string) (string, bool) {
	p := below(workdir, s.Value)
	why, hint := BadDirectory(p), ""
	if tree := Under(p, closedTrees); why == "" && tree != "" {
		why = "lies in " + tree + ", which belongs to the system"
	}
	if tree := Under(p, linkedTrees); why == "" && tree != "" {
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
