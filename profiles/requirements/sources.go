package requirements

import (
	"io/fs"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// versionControl finds a URL of version control (PEP 440, "Direct references"): the tool, and how it is reached.
var versionControl = lazyregexp.New(`^(git|hg|svn|bzr)\+([a-z]+)://`)

// versionControlled checks a requirement from version control.
func versionControlled(report *yamldoc.Report, url string, at fault.Position) {
	m := versionControl.FindStringSubmatch(url)
	switch tool, scheme := m[1], m[2]; {
	case tool != "git":
		report.Add(fault.New(fault.Sdist, "a requirement from %s cannot be built: only git is supported", tool).In(at).
			Hint("publish a wheel or a source distribution of it, and name its URL"))
	case scheme == "file":
		report.Specf(at, "a git repository of the local disk cannot be reached by the daemon").
			Hint("name the package's directory in the project (./libs/name), or a repository on a server")
	case scheme != "https" && scheme != "http" && scheme != "ssh":
		report.Specf(at, "a git repository cannot be reached by %s://", scheme).Hint("write git+https://…@commit or git+ssh://git@host/…@commit")
	}
}

// editable says what to write in place of an editable install.
func editable(report *yamldoc.Report, line, what string, at fault.Position) {
	f := report.Specf(at, "an editable install (%s) has no place in an image: it would point at files that are not there", line)
	if strings.HasPrefix(what, "git+") {
		f.Hint("write %s without -e: it is built as a wheel", what)
		return
	}
	f.Hint("write ./%s without -e, and it is built as a wheel of its own; or list its dependencies and copy its code with app.copy", strings.TrimPrefix(what, "./"))
}

// withoutEditable takes the options -e out of a requirements file, byte for byte: what they name is installed as a wheel, which a note says.
func (q *reader) withoutEditable(file, text string) string {
	for _, l := range pypi.ParseLines(text) {
		if l.Required.Text != "" || len(l.Options) != 1 || l.Options[0].Name != pypi.Editable || l.Options[0].Value == "" {
			continue
		}
		at := strings.Index(text[l.Offset:], l.Options[0].Value)
		if at < 0 {
			continue
		}
		blank := strings.Repeat(" ", at)
		if bare := l.Options[0].Value; !strings.HasPrefix(bare, ".") && !strings.ContainsAny(bare, ":@") {
			blank = blank[2:] + "./" // a directory: nothing else is editable
		}
		text = text[:l.Offset] + blank + text[l.Offset+at:]
		q.Notef("%s (%s:%d) is installed as a wheel of its own, not as a link to its files", l.Options[0].Value, file, l.Number)
	}
	return text
}

// noBinary reads the value of --no-binary: packages that are to be built from source.
func (q *reader) noBinary(value string, at fault.Position) {
	for name := range strings.SplitSeq(value, ",") {
		switch name = strings.TrimSpace(name); name {
		case "", ":none:":
		case ":all:":
			q.Specf(at, "--no-binary :all: would build every package from source").Hint("name the packages: --no-binary name")
		default:
			q.source = append(q.source, pypi.Normalize(name))
		}
	}
}

// condaPath is a directory in which conda's packages are built.
var condaPath = lazyregexp.New(`/(feedstock_root|croot|conda-bld|build_artifacts|work)(/|$|_)`)

// condaLine is a line of "conda list --export": name, version and build.
var condaLine = lazyregexp.New(`^[A-Za-z0-9_.-]+=[^=\s]+=[^=\s]+$`)

// localRequirement takes a file or directory of the project as a requirement: ./libs/tool, ./wheels/tool-1.0-py3-none-any.whl, ./tool[extra].
func (q *reader) localRequirement(required pypi.Requirement, at fault.Position) {
	const relative = "write its path in the project, as ./libs/name; what lies outside never reaches the daemon"
	if required.Path() == "" {
		f := q.Specf(at, "a file: URL (%s) names a file of one machine", required.URL)
		if condaPath.MatchString(required.URL) {
			f.Hint("pip freeze writes that in an environment of conda's; write the file anew with: pip list --format=freeze > requirements.txt").
				Hint("or write the version: %s==…", required.Name)
			return
		}
		f.Hint(relative)
		return
	}
	if leadsUp(files.Tree{}, required.URL) {
		outside(q.Tree, required.URL, at, "requirement")
		return
	}
	if clean, ok := q.Inside(required.URL, at, "requirement"); ok {
		q.localSource(clean, at)
	}
}

// localSource takes a file or directory as a package, by its clean path.
func (q *reader) localSource(clean string, at fault.Position) {
	real, ok := q.Follow(clean, at)
	if !ok {
		return
	}
	info, err := fs.Stat(q.FS, real)
	if err != nil {
		q.Add(q.Missing(clean, at, "requirement"))
		return
	}
	local := recipe.LocalSource{Path: clean}
	if info.IsDir() {
		local, ok = LocalDirectory(q.Tree, clean, at)
	} else if ok = !q.RefusePointer(real, "the package ", at); ok {
		local.SHA256, ok = q.SumOf(real, at)
	}
	if ok {
		q.local = append(q.local, local)
	}
}

// metaFiles say what a source tree needs and how it is built.
var metaFiles = []string{"pyproject.toml", "setup.py", "setup.cfg"}

// byGitTags finds the tools that read a version off git's tags.
var byGitTags = lazyregexp.New(`setuptools[_-]scm|hatch-vcs|pdm.*scm|\[tool\.pdm\.version\]|versioningit|dunamai|(?:poetry|uv)-dynamic-versioning|vcs-versioning`)

// LocalDirectory reads the metadata of a package in the project's files. ok is false after a fault.
func LocalDirectory(t files.Tree, dir string, at fault.Position) (local recipe.LocalSource, ok bool) {
	local = recipe.LocalSource{Path: dir}
	for _, name := range metaFiles {
		file := path.Join(dir, name)
		if !t.Exists(file) {
			continue
		}
		data, ok := t.SmallFile(file, at, "file")
		if !ok {
			return local, false
		}
		local.Meta = append(local.Meta, recipe.File{Path: file, Data: string(data)})
		local.Git = local.Git || byGitTags.Match(data)
		if name != "pyproject.toml" {
			local.Repos = append(local.Repos, reposOfText(string(data))...)
		}
	}
	if len(local.Meta) == 0 || len(local.Meta) == 1 && local.Meta[0].Path == path.Join(dir, "setup.cfg") {
		t.Specf(at, "%s is no Python package: it has neither pyproject.toml nor setup.py", dir)
		return local, false
	}
	if py, err := readPyproject(local.Meta[0]); err == nil {
		local.Repos = append(local.Repos, py.reposToBuild()...)
		if py.HasProject() {
			local.Name, local.Version = pypi.Normalize(py.Project.Name), normalVersion(py.Project.Version)
		}
		local.Tags = tagsOf(py, t, dir)
		local.Git = local.Git && !versionStands(py)
		if local.Tags != nil {
			local.Version = "" // what is written in its place is never that of a wheel
		}
	}
	t.NotePointersBelow(dir)
	if strings.HasPrefix(dir, "../") {
		t.NoteLinksOut(dir)
	}
	return local, true
}

// normalVersion is a version as tools write it into what they build: 1.10.0.dev0 for 1.10.0-dev. What is none stays.
func normalVersion(text string) string {
	v, err := pypi.ParseVersion(text)
	if err != nil {
		return text
	}
	return v.String()
}

// gitText is the URL of a git repository in a requirement of setup.py or setup.cfg, which only a run of it could tell for sure.
var gitText = lazyregexp.New(`git\+((?:https?|ssh)://[^\s"']+)`)

// reposOfText finds the git repositories that setup.py or setup.cfg names outside of comments.
func reposOfText(text string) []string {
	var repos []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, m := range gitText.FindAllStringSubmatch(line, -1) {
			repos = append(repos, m[1])
		}
	}
	return repos
}
