package lookup

import (
	"path"
	"regexp"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// What the files of a Python say of its whole version.
var (
	versionOfVenv   = lazyregexp.New(`(?m)^version(?:_info)?\s*=\s*(3\.[0-9]+\.[0-9]+)`)                         // pyvenv.cfg, of venv, virtualenv and uv
	versionOfHeader = lazyregexp.New(`(?m)^#\s*define\s+PY_VERSION\s+"(3\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?)`) // patchlevel.h
	versionOfConda  = lazyregexp.New(`^python-(3\.[0-9]+\.[0-9]+)-.*\.json$`)                                    // the record of a conda package
)

// fullVersion reads the whole version of a Python, "3.11.9", off the files that it came with: those of a virtual environment, of its headers, of conda, or dpkg's
// list. "" = none of them tells it.
func (l *baseReader) fullVersion(interpreter string) string {
	prefix := path.Dir(path.Dir(interpreter))
	minor := l.recipe.Python.Version
	for _, from := range []struct {
		file string
		text *lazyregexp.Regexp
	}{{path.Join(prefix, "pyvenv.cfg"), versionOfVenv}, {path.Join(prefix, "include/python"+minor+"/patchlevel.h"), versionOfHeader}} {
		data, _ := ReadFile(l.ctx, l.ref, from.file) // absent = it does not tell
		if m := from.text.FindStringSubmatch(string(data)); m != nil && strings.HasPrefix(m[1], minor+".") {
			return m[1]
		}
	}
	for _, e := range l.list(path.Join(prefix, "conda-meta"), "python-3.*") {
		if m := versionOfConda.FindStringSubmatch(e.name); m != nil && strings.HasPrefix(m[1], minor+".") {
			return m[1]
		}
	}
	if prefix != "/usr" {
		return ""
	}
	status, _ := ReadFile(l.ctx, l.ref, "/var/lib/dpkg/status") // absent = no Debian
	return dpkgPython(string(status), minor)
}

// dpkgPython is the whole version of Python 3.x in dpkg's list of packages, "" if it has none.
func dpkgPython(status, minor string) string {
	version := regexp.MustCompile(`^Version: (?:[0-9]+:)?(` + regexp.QuoteMeta(minor) + `\.[0-9]+)(?:~?((?:a|b|rc)[0-9]+))?`)
	inside := false
	for line := range strings.Lines(status) {
		switch name, of := strings.CutPrefix(line, "Package: "); {
		case of:
			inside = strings.TrimSpace(name) == "python"+minor+"-minimal"
		case inside:
			if m := version.FindStringSubmatch(line); m != nil {
				return m[1] + m[2]
			}
		}
	}
	return ""
}
