package requirements

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// reader reads requirements files with what they include, and lists of requirements. It checks each requirement, and gathers what all say.
type reader struct {
	files.Tree
	own []indexSpec // python.indexes of the project file
	Asked
}

// newReader returns a reader that has read nothing; own are the indexes of the project file.
func newReader(t files.Tree, own []indexSpec) *reader {
	return &reader{Tree: t, own: own}
}

// Asked is what requirements say.
type Asked struct {
	Direct  []Requirement        // packages that are asked for by name, in order
	placed  []Requirement        // those with a name and a place: a file or directory of the project, a git repository
	hashed  []hashedLine         // requirements with hashes
	indexes []indexLine          // options that name indexes
	noIndex bool                 // an option that no index is to be asked
	source  []string             // packages that are to be built from source
	local   []recipe.LocalSource // files and directories of the project
}

// include is a file that the project names, or another file by -r or -c.
type include struct {
	yamldoc.String
	limits bool // its requirements are constraints: they ask for no package by themselves
}

// fileList reads files, and what they include behind each of them.
func (q *reader) fileList(names []yamldoc.String, limits bool) []recipe.File {
	var files []recipe.File
	for _, name := range names {
		files = q.file(files, include{name, limits}, nil)
	}
	return files
}

// file reads one file, adds it to files and returns these; chain is the files that include it, outermost first.
func (q *reader) file(files []recipe.File, f include, chain []string) []recipe.File {
	what := "requirements file"
	if f.limits {
		what = "constraints file"
	}
	clean, ok := q.Inside(f.Value, f.At, what)
	if !ok {
		return files
	}
	if slices.Contains(chain, clean) {
		q.Specf(f.At, "the requirements files include each other in a circle: %s", strings.Join(append(chain, clean), " → "))
		return files
	}
	top := len(chain) == 0
	if i := slices.IndexFunc(files, func(g recipe.File) bool { return g.Path == clean || g.Path == clean+".txt" }); i >= 0 {
		files[i].Top, files[i].Limits = files[i].Top || top, files[i].Limits && f.limits
		return files
	}
	data, ok := q.SmallFile(clean, f.At, what)
	if !ok {
		return files
	}
	q.Source(clean, data)
	if i := notText(data); i >= 0 {
		q.Add(fault.New(fault.Context, "the %s %s is no text in UTF-8", what, clean).In(fault.Position{File: clean, Line: 1 + bytes.Count(data[:i], []byte("\n")), Column: 1}).
			Hint("save it as UTF-8"))
		return files
	}
	as, written := q.asRequirements(clean, data)
	text := q.withoutEditable(clean, q.takeIndexes(clean, written))
	files = append(files, recipe.File{Path: as, Data: text, Top: top, Limits: f.limits})
	for _, next := range q.lines(clean, text, f.limits) {
		if !path.IsAbs(next.Value) && !strings.Contains(next.Value, "://") {
			next.Value = path.Join(path.Dir(clean), next.Value)
		}
		next.limits = next.limits || f.limits
		files = q.file(files, next, append(slices.Clone(chain), clean))
	}
	return files
}

// notText returns the place of the first byte that is none of a text in UTF-8, -1 if there is none.
func notText(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// lines checks every line of a requirements file and returns what it includes.
func (q *reader) lines(file, data string, limits bool) []include {
	var includes []include
	direct := q.Direct
	for _, l := range pypi.ParseLines(data) {
		at := fault.Position{File: file, Line: l.Number, Column: 1}
		if q.variable(l, at) {
			continue
		}
		included := includesOf(l, at)
		if len(included) > 0 {
			includes = append(includes, included...)
			continue
		}
		q.line(l, writtenTail(l, data), at)
		q.hashesOf(l, at)
	}
	if limits {
		q.Direct = direct
	}
	return includes
}

func includesOf(l pypi.Line, at fault.Position) []include {
	var includes []include
	for _, o := range l.Options {
		if o.Name == pypi.RequirementFile || o.Name == pypi.ConstraintFile {
			includes = append(includes, include{yamldoc.String{Value: o.Value, At: at, Set: true}, o.Name == pypi.ConstraintFile})
		}
	}
	return includes
}

// writtenTail is what a file has behind the name and the extras of a requirement up to its options, each line break a space. Locks are stale when a byte of
// it changes, the spaces before the options included.
func writtenTail(l pypi.Line, data string) string {
	from, end := l.Offset+l.Required.NameEnd(), l.Offset+len(l.Text)
	if len(l.Options) > 0 {
		end = l.Offset + strings.Index(l.Text, l.Options[0].Text)
	}
	if end <= from {
		return ""
	}
	tail := strings.NewReplacer("\\\r\n", " ", "\\\n", " ").Replace(data[from:end])
	if len(l.Options) > 0 {
		tail = tail[:len(tail)-1] // the space that parts them
	}
	return strings.TrimLeft(tail, " \t")
}

// item checks one requirement of a list. Options that only a file can have are the resolver's business.
func (q *reader) item(s yamldoc.String) {
	l := pypi.ParseItem(s.Value)
	q.line(l, l.Required.Rest(), s.At)
}

// packages checks requirements that the project file lists, and returns their texts.
func (q *reader) packages(list []yamldoc.String) []string {
	q.items(list)
	return yamldoc.Values(list)
}

// items checks the requirements of a list.
func (q *reader) items(list []yamldoc.String) {
	for _, s := range list {
		q.item(s)
	}
}

// line checks one line, and remembers what it asks for.
func (q *reader) line(l pypi.Line, tail string, at fault.Position) {
	if q.variable(l, at) {
		return
	}
	if yamldoc.HasUserInfo(l.Text) {
		leakedURL(q.Report, at)
		return
	}
	for _, o := range l.Options {
		switch o.Name {
		case pypi.Editable:
			editable(q.Report, l.Text, o.Value, at)
		case pypi.NoIndex:
			q.noIndex = true
		case pypi.NoBinary:
			q.noBinary(o.Value, at)
		}
	}
	if required := l.Required; required.Name != "" && l.Err == nil && (required.IsLocal() || versionControl.MatchString(required.URL)) {
		q.placed = append(q.placed, Requirement{Requirement: required, tail: tail, At: at})
	}
	switch required := l.Required; {
	case required.Name == "pkg-resources" && required.Specifiers.Pin() == "0.0.0":
		q.Specf(at, "%s is on no index: Debian's and Ubuntu's pip freeze writes it of a part of setuptools", required.Text).Hint("take the line away")
	case condaLine.MatchString(required.Text):
		if !slices.ContainsFunc(q.Faults, func(f *fault.Fault) bool {
			return f.At.File == at.File && strings.Contains(f.Error(), "conda list --export")
		}) {
			q.Specf(at, "%q is a line of conda list --export, which lists packages of conda's and no Python packages of an index", required.Text).
				Hint("write the file anew with: pip list --format=freeze > requirements.txt")
		}
	case errors.Is(l.Err, pypi.ErrNoRequirement):
		q.Specf(at, "%q is not a requirement", required.Text).Hint("for example: numpy==2.2.1")
	case required.IsLocal():
		q.localRequirement(required, at)
	case versionControl.MatchString(required.URL):
		versionControlled(q.Report, required.URL, at)
	case required.Name != "":
		q.Direct = append(q.Direct, Requirement{Requirement: required, Pin: pinOf(required), tail: tail, At: at})
	}
}

// pinOf is the version to which a requirement pins its package in an image, "" = none.
func pinOf(q pypi.Requirement) string {
	if pin := q.Specifiers.Exact(); pypi.Digit(pin, 0) && mayHold(q) {
		return pin
	}
	return ""
}

// Counting are the requirements that may count on a platform, with one of these versions of Python; none = with any.
func Counting(all []Requirement, platform string, pythons ...string) []Requirement {
	if len(pythons) == 0 {
		pythons = compat.Known().Slim
	}
	return slices.DeleteFunc(slices.Clone(all), func(q Requirement) bool { return !mayHoldOn(q.Requirement, []string{platform}, pythons) })
}

// mayHold reports whether a requirement counts on one of the platforms, with one of the Python versions that images have.
func mayHold(q pypi.Requirement) bool { return mayHoldOn(q, recipe.Platforms, compat.Known().Slim) }

// mayHoldOn reports whether a requirement counts on one of the platforms, with one of the versions of Python.
func mayHoldOn(q pypi.Requirement, platforms, pythons []string) bool {
	if q.Marker == nil {
		return true
	}
	for _, platform := range platforms {
		for _, python := range pythons {
			for _, patch := range []string{".0", ".99"} {
				if q.Holds(pypi.NewEnvironment(pypi.Target{Python: python, Platform: platform}, python+patch, nil)) {
					return true
				}
			}
		}
	}
	return false
}
