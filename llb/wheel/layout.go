package wheel

import (
	"path"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Layout is the version of the rules by which a wheel becomes files. It changes when the same wheel and Python would
// give other files, so that a cache or a registry can tell the two apart.
const Layout = 1

// Venv is the virtual environment into which every wheel is installed, as the image sees it.
const Venv = "/opt/venv"

// modTimeUnix is 1980-01-01 in seconds, the earliest time that a zip can hold.
const modTimeUnix = 315532800

// ModTime is the time of every installed file and directory.
var ModTime = time.Unix(modTimeUnix, 0).UTC()

// Modes of what is installed.
const (
	modeFile = 0o644
	modeExec = 0o755
	modeDir  = 0o755
)

// Dir is a directory that several layers write. The entry of a later layer wins over an earlier one, so all must agree.
type Dir struct {
	Path string // absolute, as the image sees it
	Mode int    // permission bits
	UID  int
	GID  int
}

// ParentDirs lists, parents first, the directories of the virtual environment for a Python ("3.11") that wheel layers
// share. All are 0755 and belong to root.
func ParentDirs(python string) []Dir {
	lib := "lib/python" + python
	below := []string{"", "bin", "include", "include/site", "include/site/python" + python, "lib", lib, lib + "/site-packages"}
	dirs := []Dir{{Path: path.Dir(Venv), Mode: modeDir}}
	for _, p := range below {
		dirs = append(dirs, Dir{Path: path.Join(Venv, p), Mode: modeDir})
	}
	return dirs
}

// sitePackages is the directory of purelib and platlib, relative to the virtual environment. On Linux both are the same.
func sitePackages(python string) string {
	return "lib/python" + python + "/site-packages"
}

// checkPython wants "3.11", or "3.13t" for a free-threaded build, as it stands in the name of the lib directory.
func checkPython(python string) error {
	major, minor, ok := strings.Cut(strings.TrimSuffix(python, "t"), ".")
	if ok && isDigits(major) && isDigits(minor) {
		return nil
	}
	return fault.New(fault.Usage, "python version %q is not of the form 3.11", python)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
