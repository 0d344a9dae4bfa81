package profiles

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// requirement is a package that the project asks for by name.
type requirement struct {
	name   string // normalized by PEP 503
	extras string // "[and-cuda]" as written, "" = none
	pin    string // the version of ==, "" = none
	rest   string // what follows the name and its extras, without hashes and other options
	at     fault.Position
}

// text is the requirement as the resolver reads it.
func (q requirement) text() string {
	if strings.HasPrefix(q.rest, "@") {
		return q.name + q.extras + " " + q.rest
	}
	return q.name + q.extras + q.rest
}

var (
	requirementName = lazyregexp.New(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*(.*)$`)

	exactPin    = lazyregexp.New(`^===?\s*([0-9][0-9A-Za-z.+]*)\s*(?:--hash.*)?$`)
	lineComment = lazyregexp.New(`(^|\s)#.*$`)
	lineOptions = lazyregexp.New(`\s--[a-z].*$`)
)

// allowed normalizes the names of packages. An entry with a slash names a file of one, as "package/file.pth", and stays: its name is a path.
func allowed(entries []yamldoc.String) []string {
	names, files := []yamldoc.String{}, []string{}
	for _, e := range entries {
		if pkg, file, ok := strings.Cut(e.Value, "/"); ok {
			files = append(files, pypi.Normalize(pkg)+"/"+file)
		} else {
			names = append(names, e)
		}
	}
	return recipe.SortedUnique(append(normalizedNames(names), files...))
}

// requirements gathers what the resolver is asked.
func (r *resolver) requirements() {
	p := &r.spec.python
	req := &r.recipe.Requires
	req.Lock = "pylock." + r.sel.Profile + ".toml"
	req.Allow = allowed(p.allow)
	files := p.requirements
	if files == nil && p.packages == nil && !p.project.Set {
		files = r.detected()
	}
	req.Files = r.readRequirements(files, false)
	req.Constraints = r.readRequirements(p.constraints, true)
	for _, s := range p.packages {
		req.Packages = append(req.Packages, s.Value)
		r.requirementLine(s.Value, s.At)
	}
	r.steps()
	r.overrides()
	req.NoDeps = normalizedNames(p.noDeps)
	if p.project.Set {
		req.Project = r.projectSource()
	} else if len(p.extras)+len(p.groups) > 0 && !p.lock.Set {
		r.Specf(p.at, "python.extras and python.groups need python.project").Hint("Write project: . beside them.")
	}
	r.otherLock()
	r.indexes()
	req.Hashes = pinnedHashes(r.hashed)
}

func normalizedNames(list []yamldoc.String) []string {
	var names []string
	for _, s := range list {
		names = append(names, pypi.Normalize(s.Value))
	}
	return recipe.SortedUnique(names)
}

// detected chooses the inputs of a project that names none: those that a named lock belongs to, else what is there.
func (r *resolver) detected() []yamldoc.String {
	lock := r.spec.python.lock
	switch base := path.Base(lock.Value); {
	case !lock.Set || lock.Value == "none":
		return r.detectRequirements()
	case base == "uv.lock" || base == "poetry.lock":
		r.spec.python.project = yamldoc.String{Value: ".", At: lock.At, Set: true}
	}
	return nil // a lock in the standard's form lists every package
}

// detectRequirements chooses what stands in a project that does not say it.
func (r *resolver) detectRequirements() []yamldoc.String {
	if _, err := fs.Stat(r.fsys, "requirements.txt"); err == nil {
		if r.py.hasProject() {
			r.Notef("requirements.txt is used, the dependencies of pyproject.toml are not")
		}
		return []yamldoc.String{{Value: "requirements.txt", Set: true}}
	}
	if r.py.hasProject() {
		r.spec.python.project = yamldoc.String{Value: ".", Set: true}
		return nil
	}
	f := fault.New(fault.Spec, "nothing to build from: there is no requirements.txt and no pyproject.toml with a [project] table")
	if r.project.file != "" {
		f.In(fault.Position{File: r.project.file, Line: r.spec.python.at.Line, Column: r.spec.python.at.Column})
	}
	f.Hint("Write a requirements.txt, or python: {requirements: [file]} in %s; requirements: [] means no packages.", FileName)
	for _, other := range otherTools {
		if _, err := fs.Stat(r.fsys, other.file); err == nil {
			f.Hint("%s is here: %s", other.file, other.hint)
		}
	}
	r.Add(f)
	return nil
}

// otherTools are files that hold dependencies in a form that mlbuild does not read.
var otherTools = []struct{ file, hint string }{
	{"Pipfile", "run: pipenv requirements > requirements.txt"},
	{"environment.yml", "list its pip packages in requirements.txt; conda packages are not installed."},
	{"setup.py", "move install_requires to [project] dependencies in pyproject.toml, or to requirements.txt."},
	{"setup.cfg", "move install_requires to [project] dependencies in pyproject.toml, or to requirements.txt."},
}

// readRequirements reads the named files and what they include. Constraints ask for no package by themselves.
func (r *resolver) readRequirements(files []yamldoc.String, constraints bool) []recipe.File {
	read := &requirementReader{resolver: r}
	for _, f := range files {
		read.file(include{f, constraints}, nil)
	}
	return read.files
}

// requirementReader follows -r and -c through requirements files.
type requirementReader struct {
	*resolver
	files []recipe.File
}

// include is a file that the project names, or another file by -r or -c.
type include struct {
	yamldoc.String
	constraints bool
}

// file reads one file; chain is the files that include it, outermost first.
func (q *requirementReader) file(f include, chain []string) {
	what := "requirements file"
	if f.constraints {
		what = "constraints file"
	}
	clean, ok := q.inside(f.Value, f.At, what)
	if !ok {
		return
	}
	if slices.Contains(chain, clean) {
		q.Specf(f.At, "the requirements files include each other in a circle: %s", strings.Join(append(chain, clean), " → "))
		return
	}
	top := len(chain) == 0
	if i := slices.IndexFunc(q.files, func(g recipe.File) bool { return g.Path == clean }); i >= 0 {
		q.files[i].Top = q.files[i].Top || top
		return
	}
	data, ok := q.smallFile(clean, f.At, what)
	if !ok {
		return
	}
	q.Source(clean, data)
	text := q.takeIndexes(clean, string(data))
	q.files = append(q.files, recipe.File{Path: clean, Data: text, Top: top})
	for _, next := range q.lines(clean, text, f.constraints) {
		if !path.IsAbs(next.Value) && !strings.Contains(next.Value, "://") {
			next.Value = path.Join(path.Dir(clean), next.Value)
		}
		next.constraints = next.constraints || f.constraints
		q.file(next, append(slices.Clone(chain), clean))
	}
}

// lines checks every line of a requirements file and gives what it includes.
func (r *resolver) lines(file, data string, constraints bool) []include {
	var includes []include
	direct := r.direct
	start, joined := 0, ""
	for i, line := range strings.Split(data, "\n") {
		line = strings.TrimRight(line, "\r")
		if joined == "" {
			start = i + 1
		}
		if rest, more := strings.CutSuffix(line, "\\"); more {
			joined += rest + " "
			continue
		}
		logical := strings.TrimSpace(lineComment.ReplaceAllString(joined+line, ""))
		joined = ""
		if logical == "" {
			continue
		}
		at := fault.Position{File: file, Line: start, Column: 1}
		if m := includeOption.FindStringSubmatch(logical); m != nil {
			name := strings.Trim(strings.TrimSpace(m[2]), `"'`)
			includes = append(includes, include{yamldoc.String{Value: name, At: at, Set: true}, strings.HasPrefix(strings.TrimLeft(m[1], "-"), "c")})
			continue
		}
		r.requirementLine(logical, at)
		r.hashesOf(logical, at)
	}
	if constraints {
		r.direct = direct
	}
	return includes
}

var includeOption = lazyregexp.New(`^(-[rc]|--requirements?\b|--constraints?\b)[\s=]*(\S.*)$`)

// requirementLine checks one requirement or option, and remembers the package that it names.
func (r *resolver) requirementLine(line string, at fault.Position) {
	if yamldoc.HasUserInfo(line) {
		leakedURL(r.Report, at)
		return
	}
	switch {
	case isOption(line, "-e", "--editable"):
		r.editable(line, at)
	case isOption(line, "--no-binary"):
		r.noBinary(line, at)
	case strings.HasPrefix(line, "-"):
		return // an option that the resolver reads
	case isLocalPath(line):
		r.localRequirement(firstField(line), at)
	default:
		r.namedRequirement(line, at)
	}
}

// namedRequirement reads "name[extras] …", with or without "@ URL".
func (r *resolver) namedRequirement(line string, at fault.Position) {
	m := requirementName.FindStringSubmatch(line)
	if m := versionControl.FindStringSubmatch(line); m != nil {
		r.versionControlled(m[1], m[2], at)
		return
	}
	if strings.Contains(firstField(line), "://") {
		return // a direct URL without a name: the resolver reads it
	}
	if m == nil || m[3] != "" && !strings.ContainsAny(m[3][:1], "=<>!~@;(-") {
		r.Specf(at, "%q is not a requirement", line).Hint("For example: numpy==2.2.1")
		return
	}
	if rest := strings.TrimSpace(strings.TrimPrefix(m[3], "@")); rest != m[3] && isLocalPath(rest) {
		r.localRequirement(firstField(rest), at)
		return
	}
	q := requirement{name: pypi.Normalize(m[1]), extras: m[2], rest: lineOptions.ReplaceAllString(m[3], ""), at: at}
	if pin := exactPin.FindStringSubmatch(m[3]); pin != nil {
		q.pin = pin[1]
	}
	r.direct = append(r.direct, q)
}

func isOption(line string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		rest, found := strings.CutPrefix(line, name)
		return found && (rest == "" || strings.ContainsAny(rest[:1], " \t=./"))
	})
}

var archiveFile = lazyregexp.New(`(?i)\.(whl|zip|tar\.gz|tgz)(\[.*\])?$`)

// isLocalPath tells a file or directory from a package name and from a URL.
func isLocalPath(line string) bool {
	word := firstField(line)
	if strings.HasPrefix(strings.ToLower(word), "file:") {
		return true
	}
	if strings.Contains(word, "://") {
		return false
	}
	return strings.HasPrefix(word, ".") || strings.HasPrefix(word, "/") || archiveFile.MatchString(word)
}

func firstField(line string) string {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}
