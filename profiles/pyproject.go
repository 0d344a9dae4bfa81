package profiles

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// pyproject is what a pyproject.toml says that matters here. A nil pyproject says nothing.
type pyproject struct {
	path string
	data []byte

	Project          *projectTable    `toml:"project"`
	DependencyGroups map[string][]any `toml:"dependency-groups"`
	Tool             struct {
		Poetry     *poetryTool     `toml:"poetry"`
		UV         *uvTool         `toml:"uv"`
		Setuptools setuptoolsTable `toml:"setuptools"`
	} `toml:"tool"`

	rewritten bool                      // Project or DependencyGroups say more than the file does in the standard's terms
	places    map[string]fault.Position // of requirements that are not written so in the file
}

// projectTable is [project].
type projectTable struct {
	Name                 string              `toml:"name"`
	Version              string              `toml:"version"`
	RequiresPython       string              `toml:"requires-python"`
	Dependencies         []string            `toml:"dependencies"`
	OptionalDependencies map[string][]string `toml:"optional-dependencies"`
	Scripts              map[string]string   `toml:"scripts"`
	Dynamic              []string            `toml:"dynamic"`
}

// setuptoolsTable is what setuptools reads [project] dependencies from if they are dynamic.
type setuptoolsTable struct {
	Dynamic struct {
		Dependencies struct {
			File any `toml:"file"` // one or several
		} `toml:"dependencies"`
	} `toml:"dynamic"`
}

// readPyproject parses a pyproject.toml; another file says nothing.
func readPyproject(f recipe.File) (*pyproject, error) {
	py := &pyproject{path: f.Path, data: []byte(f.Data)}
	if path.Base(f.Path) != "pyproject.toml" {
		return py, nil
	}
	return py, toml.Unmarshal(py.data, py)
}

// at finds where a text stands in the file; without a line if it is written another way there.
func (p *pyproject) at(text string) fault.Position {
	if at, known := p.places[text]; known {
		return at
	}
	at := fault.Position{File: p.path}
	if i := bytes.Index(p.data, []byte(text)); i >= 0 {
		at.Line = 1 + bytes.Count(p.data[:i], []byte("\n"))
		at.Column = 1 + utf8.RuneCount(p.data[bytes.LastIndexByte(p.data[:i], '\n')+1:i])
	}
	return at
}

func (p *pyproject) hasProject() bool { return p != nil && p.Project != nil }

func (p *pyproject) poetry() bool { return p != nil && p.Tool.Poetry != nil }

func (p *pyproject) name() string {
	if !p.hasProject() {
		return ""
	}
	return p.Project.Name
}

// pyprojectFile reads the pyproject.toml that python.project names, or the one beside the project file.
func (r *resolver) pyprojectFile() {
	named := r.spec.python.project
	name := "pyproject.toml"
	if named.Set {
		clean, ok := r.inside(named.Value, named.At, "project")
		if !ok {
			return
		}
		name = clean
		if path.Base(clean) != "pyproject.toml" {
			name = path.Join(clean, "pyproject.toml")
		}
	} else if _, err := fs.Stat(r.fsys, name); err != nil {
		return
	}
	data, ok := r.smallFile(name, named.At, "project")
	if !ok {
		return
	}
	r.Source(name, data)
	py := &pyproject{path: name, data: data}
	if err := toml.Unmarshal(data, py); err != nil {
		r.badTOML(name, err)
		return
	}
	r.py = py
	r.fromPoetry(py)
	r.fromSetuptools(py)
}

// fromSetuptools reads the files that hold the dependencies, where [tool.setuptools.dynamic] names some.
func (r *resolver) fromSetuptools(py *pyproject) {
	files, ok := py.Tool.Setuptools.Dynamic.Dependencies.File.([]any)
	if !ok {
		files = []any{py.Tool.Setuptools.Dynamic.Dependencies.File}
	}
	if py.Project == nil || !slices.Contains(py.Project.Dynamic, "dependencies") {
		return
	}
	for _, f := range files {
		name, ok := f.(string)
		if !ok {
			continue
		}
		file := path.Join(path.Dir(py.path), name)
		data, ok := r.smallFile(file, py.at(name), "requirements file")
		if !ok {
			continue
		}
		r.Source(file, data)
		for i, line := range strings.Split(string(data), "\n") {
			if line = strings.TrimSpace(lineComment.ReplaceAllString(strings.TrimSuffix(line, "\r"), "")); line != "" {
				py.place(line, fault.Position{File: file, Line: i + 1, Column: 1})
				py.Project.Dependencies = append(py.Project.Dependencies, line)
			}
		}
		py.dependenciesKnown()
	}
}

// place remembers where a requirement stands.
func (p *pyproject) place(line string, at fault.Position) {
	if p.places == nil {
		p.places = map[string]fault.Position{}
	}
	p.places[line] = at
}

// dependenciesKnown tells that [project] now holds what was dynamic.
func (p *pyproject) dependenciesKnown() {
	p.rewritten = true
	p.Project.Dynamic = slices.DeleteFunc(p.Project.Dynamic, func(key string) bool { return key == "dependencies" })
}

func (r *resolver) badTOML(name string, err error) {
	at := fault.Position{File: name}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		at.Line, at.Column = decode.Position()
	}
	r.Specf(at, "TOML: %s", err.Error())
}

// projectSource takes the dependencies of pyproject.toml, with the chosen extras and groups.
func (r *resolver) projectSource() *recipe.ProjectSource {
	p := r.spec.python
	if r.py == nil {
		return nil // reported when it was read
	}
	at := fault.Position{File: r.py.path}
	source := &recipe.ProjectSource{
		File:   recipe.File{Path: r.py.path, Data: string(r.py.data), Top: true},
		Extras: recipe.SortedUnique(yamldoc.Values(p.extras)), Groups: recipe.SortedUnique(yamldoc.Values(p.groups)),
	}
	if r.py.Project == nil && len(p.groups) == 0 {
		r.Specf(at, "pyproject.toml has no [project] table").Hint("Name requirements in python.requirements or python.packages.")
		return source
	}
	if r.py.Project == nil {
		source.Bare = true
		r.groups(p.groups)
		return source
	}
	if slices.Contains(r.py.Project.Dynamic, "dependencies") {
		r.Specf(at, "the dependencies of pyproject.toml are dynamic: only its build backend knows them").
			Hint("List them under [project] dependencies, or name the file that holds them in python.requirements.")
	}
	for _, line := range r.py.Project.Dependencies {
		r.requirementLine(line, r.py.at(line))
	}
	r.extras(p.extras)
	r.groups(p.groups)
	r.scanForCredentials()
	return source
}

// scanForCredentials finds URLs with credentials outside the dependencies too: the resolver reads [tool.uv].
func (r *resolver) scanForCredentials() {
	for i, line := range strings.Split(string(r.py.data), "\n") {
		at := fault.Position{File: r.py.path, Line: i + 1, Column: 1}
		known := slices.ContainsFunc(r.Faults, func(f *fault.Fault) bool {
			return f.Code == fault.SecretLeak && f.At.File == at.File && f.At.Line == at.Line
		})
		if yamldoc.HasUserInfo(line) && !known {
			leakAt(r.Report, at, "a URL here holds credentials").Hint("Name the index in %s with secret: id.", FileName)
		}
	}
}

func (r *resolver) extras(wanted []yamldoc.String) {
	known := r.py.Project.OptionalDependencies
	for _, extra := range wanted {
		lines, found := known[extra.Value]
		for name := range maps.Keys(known) {
			if !found && pypi.Normalize(name) == pypi.Normalize(extra.Value) {
				lines, found = known[name], true
			}
		}
		if !found {
			f := fault.New(fault.Spec, "%s has no extra %q", r.py.path, extra.Value).In(extra.At)
			yamldoc.DidYouMean(f, extra.Value, slices.Sorted(maps.Keys(known)))
			r.Add(f)
		}
		for _, line := range lines {
			r.requirementLine(line, r.py.at(line))
		}
	}
}

// groups reads dependency groups, PEP 735; a group may include others.
func (r *resolver) groups(wanted []yamldoc.String) {
	for _, group := range wanted {
		if _, found := r.py.DependencyGroups[group.Value]; !found {
			f := fault.New(fault.Spec, "%s has no dependency group %q", r.py.path, group.Value).In(group.At)
			yamldoc.DidYouMean(f, group.Value, slices.Sorted(maps.Keys(r.py.DependencyGroups)))
			r.Add(f)
			continue
		}
		r.group(group.Value, nil)
	}
}

func (r *resolver) group(name string, chain []string) {
	at := fault.Position{File: r.py.path}
	if slices.Contains(chain, name) {
		r.Specf(at, "the dependency group %q includes itself", name)
		return
	}
	for _, item := range r.py.DependencyGroups[name] {
		switch item := item.(type) {
		case string:
			r.requirementLine(item, r.py.at(item))
		case map[string]any:
			if include, ok := item["include-group"].(string); ok {
				r.group(include, append(slices.Clone(chain), name))
			}
		}
	}
}
