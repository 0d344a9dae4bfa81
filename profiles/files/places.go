package files

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
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

// openTrees are parts of the system below which projects put directories of their own every day.
var openTrees = []string{"/usr/local", "/usr/src"}

// openFiles are those in which they put files, as root's.
var openFiles = append(openTrees, "/usr/share", "/etc")

// sharedPlaces are directories of openTrees that the system's own files lie in, or its users.
var sharedPlaces = []string{
	"/usr/local", "/usr/src", "/usr/local/bin", "/usr/local/etc", "/usr/local/games", "/usr/local/include", "/usr/local/lib", "/usr/local/man", "/usr/local/sbin", "/usr/local/share", "/usr/local/src",
}

// written are files of the system that mlbuild or the runtime writes.
var written = []string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/ld.so.cache", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"}

// badFile says why a file or tree of the project cannot lie at a path, "" if it can; open says that the path is one of the system that is open to files. Below the working directory
// everything can.
func badFile(p, workdir string) (why string, open bool) {
	p = path.Clean(p)
	tree := Under(p, systemTrees)
	switch {
	case tree == "", Under(p, []string{workdir}) != "":
		return "", false
	case Under(p, openFiles) != "" && !slices.Contains(openFiles, p) && !slices.Contains(written, p):
		return "", true
	}
	return "lies in " + tree + ", which belongs to the system", false
}

// BadPlace says why nothing of the project can lie at a path of the image, "" if it can.
func BadPlace(p string) string {
	tree := Under(p, systemTrees)
	switch why := BadDirectory(p); {
	case why != "":
		return why
	case tree != "" && Under(p, openTrees) != "" && !slices.Contains(sharedPlaces, path.Clean(p)):
		return ""
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
	if tree := Under(s.Value, openTrees); tree != "" {
		report.Notef("app.workdir lies in %s of the system: the directory is the user's, what is above it is root's", tree)
	}
	return path.Clean(s.Value)
}

// environmentDirs are the directories of the environment that files may come to lie in, beside its modules.
var environmentDirs = []string{recipe.Environment + "/bin", recipe.Environment + "/share", recipe.Environment + "/etc", recipe.Environment + "/include"}

// ownPrograms are programs of the environment itself.
var ownPrograms = lazyregexp.New(`^(python[0-9.]*|activate.*)$`)

// environmentFile says why a file or tree cannot lie at a path of the environment, with what to write; "" if it can. slash says that its name is still to come.
func environmentFile(p, python string, slash bool) (why, hint string) {
	site := recipe.SitePackages(python)
	tree := Under(p, append(environmentDirs, site))
	_, rest, other := strings.Cut(p, "/site-packages/")
	switch {
	case tree == environmentDirs[0] && ownPrograms.MatchString(path.Base(p)), tree != "" && p == tree && !slash:
		return "belongs to the environment itself", ""
	case tree != "":
		return "", ""
	case other:
		return "is not the directory of Python " + python + ", which the image has", "write $" + recipe.SitePackagesVariable + "/" + rest
	}
	return "lies in " + recipe.Environment + ", which belongs to the system",
		"files for packages go to $" + recipe.SitePackagesVariable + "/…, which is " + site + "; " + recipe.Environment + "/bin, share, etc and include are open, too"
}

// InImage returns a path of the image as it is written with what $SITE_PACKAGES stands for.
func InImage(written, python string) string {
	for _, name := range []string{"$" + recipe.SitePackagesVariable, "${" + recipe.SitePackagesVariable + "}"} {
		if rest, ok := strings.CutPrefix(written, name); ok && (rest == "" || rest[0] == '/') {
			return recipe.SitePackages(python) + rest
		}
	}
	return written
}

// DecodePath reads a path of the image, in which $SITE_PACKAGES may be written with braces like a build argument.
func DecodePath(d *yamldoc.Decoder, to *yamldoc.String, what string) func(*yamldoc.Node) {
	return func(n *yamldoc.Node) {
		written := *n
		if _, declared := d.Args[recipe.SitePackagesVariable]; !declared {
			written.Text = strings.ReplaceAll(n.Text, "${"+recipe.SitePackagesVariable+"}", "$"+recipe.SitePackagesVariable)
		}
		d.String(to, what)(&written)
	}
}

// closedTrees are those that files from elsewhere do not go to. What is left of the system, /usr and /etc, is open to them.
var closedTrees = []string{
	"/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/lock", "/var/lib/dpkg", "/tmp", "/var/tmp",
}

// linkedTrees are symbolic links into /usr on today's distributions. A layer's directory of that name would replace the link.
var linkedTrees = []string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// StepDestination reads the destination of files from elsewhere; a trailing slash is kept.
func StepDestination(report *yamldoc.Report, s yamldoc.String, side Placement) (string, bool) {
	p := below(side.Workdir, InImage(s.Value, side.Python))
	slash := strings.HasSuffix(s.Value, "/") || s.Value == "."
	why, hint := BadDirectory(p), ""
	if why == "" && recipe.InEnvironment(p) {
		why, hint = environmentFile(path.Clean(p), side.Python, slash)
	}
	if tree := Under(p, closedTrees); why == "" && tree != "" {
		why = "lies in " + tree + ", which belongs to the system"
	}
	if tree := Under(p, linkedTrees); why == "" && tree != "" {
		why, hint = "lies in "+tree+", which is a link to /usr"+tree, "write /usr"+p
	}
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
