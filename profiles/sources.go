package profiles

import (
	"io/fs"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// versionControl finds a requirement from version control (PEP 440, "Direct references"): the tool, and how it is reached.
var versionControl = lazyregexp.New(`^(?:[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*@\s*)?(git|hg|svn|bzr)\+([a-z]+)://`)

// versionControlled checks a requirement from version control.
func (r *resolver) versionControlled(tool, scheme string, at fault.Position) {
	switch {
	case tool != "git":
		r.Add(fault.New(fault.Sdist, "a requirement from %s cannot be built: only git is supported", tool).In(at).
			Hint("Publish a wheel or a source distribution of it, and name its URL."))
	case scheme == "file":
		r.Specf(at, "a git repository of the local disk cannot be reached by the daemon").
			Hint("Name the package's directory in the project (./libs/name), or a repository on a server.")
	case scheme != "https" && scheme != "http" && scheme != "ssh":
		r.Specf(at, "a git repository cannot be reached by %s://", scheme).Hint("Write git+https://…@commit or git+ssh://git@host/…@commit.")
	}
}

// editable says what to write in place of an editable install.
func (r *resolver) editable(line string, at fault.Position) {
	what := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(line, "--editable"), "-e"), " \t=")
	f := r.Specf(at, "an editable install (%s) has no place in an image: it would point at files that are not there", line)
	if strings.HasPrefix(what, "git+") {
		f.Hint("Write %s without -e: it is built as a wheel.", what)
		return
	}
	f.Hint("Write ./%s without -e, and it is built as a wheel of its own; or list its dependencies and copy its code with app.copy.", strings.TrimPrefix(what, "./"))
}

// noBinary reads --no-binary: packages that are to be built from source.
func (r *resolver) noBinary(line string, at fault.Position) {
	for name := range strings.SplitSeq(strings.TrimLeft(strings.TrimPrefix(line, "--no-binary"), " \t="), ",") {
		switch name = strings.TrimSpace(name); name {
		case "", ":none:":
		case ":all:":
			r.Specf(at, "--no-binary :all: would build every package from source").Hint("Name the packages: --no-binary name.")
		default:
			r.recipe.Requires.Source = append(r.recipe.Requires.Source, pypi.Normalize(name))
		}
	}
}

// localRequirement takes a file or directory of the project as a requirement: ./libs/tool, ./wheels/tool-1.0-py3-none-any.whl, ./tool[extra].
func (r *resolver) localRequirement(word string, at fault.Position) {
	const relative = "Write its path in the project, as ./libs/name; what lies outside never reaches the daemon."
	if strings.HasPrefix(strings.ToLower(word), "file:") {
		r.Specf(at, "a file: URL (%s) names a file of one machine", word).Hint(relative)
		return
	}
	clean, ok := r.inside(LocalPath(word), at, "requirement")
	if !ok {
		return
	}
	real, ok := r.follow(clean, at)
	if !ok {
		return
	}
	info, err := fs.Stat(r.fsys, real)
	if err != nil {
		r.Add(r.missing(clean, at, "requirement"))
		return
	}
	local := recipe.LocalSource{Path: clean}
	if info.IsDir() {
		local, ok = localDirectory(r.tree, clean, at)
	} else {
		local.SHA256, ok = r.sumOf(real, at)
	}
	if ok {
		r.recipe.Requires.Local = append(r.recipe.Requires.Local, local)
	}
}

// LocalPath is the path of a requirement without its extras.
func LocalPath(word string) string {
	if i := strings.IndexByte(word, '['); i > 0 {
		word = word[:i]
	}
	return strings.TrimSuffix(word, ";")
}

var oneRequirement = lazyregexp.New(`^(\s*(?:[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*@\s*)?)([^\s\[;#]+)(.*)$`)

// CutLocal finds the path in a requirement that is a file or directory of the project: "tool @ ./libs/tool[x] ; marker" has the path libs/tool.
func CutLocal(requirement string) (before, file, after string, ok bool) {
	m := oneRequirement.FindStringSubmatch(strings.TrimRight(requirement, "\r\n"))
	if m == nil || !isLocalPath(m[2]) || strings.HasPrefix(m[2], "file:") {
		return "", "", "", false
	}
	return m[1], path.Clean(m[2]), m[3], true
}
