package requirements

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/tomltext"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Pyproject is what a pyproject.toml says that matters here. A nil pyproject says nothing.
type Pyproject struct {
	path string
	data []byte

	Project          *projectTable    `toml:"project"`
	DependencyGroups map[string][]any `toml:"dependency-groups"`
	Tool             struct {
		Poetry     *poetryTool     `toml:"poetry"`
		UV         *uvTool         `toml:"uv"`
		Setuptools setuptoolsTable `toml:"setuptools"`

		PoetryVersioning map[string]any `toml:"poetry-dynamic-versioning"`
		UVVersioning     map[string]any `toml:"uv-dynamic-versioning"`
	} `toml:"tool"`

	BuildSystem struct {
		Requires []string `toml:"requires"`
	} `toml:"build-system"`

	bare   bool  // it is a uv.toml: what [tool.uv] has stands at its top
	broken error // why a uv.toml could not be read

	places    *tomltext.Places
	rewritten bool                      // Project or DependencyGroups say more than the file does in the standard's terms
	moved     map[string]fault.Position // of requirements, and keys, that are not written so in the file
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
func readPyproject(f recipe.File) (*Pyproject, error) {
	py := &Pyproject{path: f.Path, data: []byte(f.Data)}
	if path.Base(f.Path) != "pyproject.toml" {
		return py, nil
	}
	if err := toml.Unmarshal(py.data, py); err != nil {
		return py, err
	}
	py.places = tomltext.Locate(py.data)
	return py, nil
}

// at is the place of a key, "project.requires-python" or "project.dependencies[2]": where its text begins if it has one.
func (p *Pyproject) at(key string) fault.Position {
	if p.bare {
		key = strings.TrimPrefix(key, "tool.uv.")
	}
	if offset := p.places.StringAt(key); offset >= 0 {
		return p.places.PositionAt(p.path, p.data, offset)
	}
	return p.places.Position(p.path, key)
}

// keyAt is the place of a key itself, or where Poetry says the same.
func (p *Pyproject) keyAt(key string) fault.Position {
	if at, ok := p.moved[key]; ok {
		return at
	}
	return p.places.Position(p.path, key)
}

// File is its path in the project.
func (p *Pyproject) File() string { return p.path }

// HasProject reports whether there is a [project], written so or by Poetry.
func (p *Pyproject) HasProject() bool { return p != nil && p.Project != nil }

func (p *Pyproject) poetry() bool { return p != nil && p.Tool.Poetry != nil }

// Name is the name in [project], "" = none.
func (p *Pyproject) Name() string {
	if !p.HasProject() {
		return ""
	}
	return p.Project.Name
}

// RequiresPython is the versions of Python that the project runs on, a specifier (PEP 440); "" = it does not say.
func (p *Pyproject) RequiresPython() yamldoc.String {
	if !p.HasProject() {
		return yamldoc.String{}
	}
	return yamldoc.String{Value: p.Project.RequiresPython, At: p.at("project.requires-python"), Set: p.Project.RequiresPython != ""}
}

// Builds reports whether a pyproject.toml says how the project is built, by [build-system].
func Builds(p *Pyproject) bool { return p != nil && len(p.BuildSystem.Requires) > 0 }

// Scripts are its console scripts: the functions, "module:function", by their names.
func (p *Pyproject) Scripts() map[string]string {
	if !p.HasProject() {
		return nil
	}
	return p.Project.Scripts
}

// FindPyproject reads the pyproject.toml that python.project names, or the one beside the project file; nil if there is none that can be read.
func FindPyproject(t files.Tree, named yamldoc.String) *Pyproject {
	name := "pyproject.toml"
	if named.Set {
		clean, ok := t.Inside(named.Value, named.At, "project")
		if !ok {
			return nil
		}
		name = clean
		if path.Base(clean) != "pyproject.toml" {
			name = path.Join(clean, "pyproject.toml")
		}
	} else if !t.Exists(name) {
		return nil
	}
	data, ok := t.SmallFile(name, named.At, "project")
	if !ok {
		return nil
	}
	t.Source(name, data)
	py, err := readPyproject(recipe.File{Path: name, Data: string(data)})
	if err != nil {
		badTOML(t.Report, name, err)
		return nil
	}
	fromPoetry(t.Report, py)
	fromSetuptools(t, py)
	return py
}

// fromSetuptools reads the files that hold the dependencies, where [tool.setuptools.dynamic] names some.
func fromSetuptools(t files.Tree, py *Pyproject) {
	const key = "tool.setuptools.dynamic.dependencies.file"
	if py.Project == nil || !slices.Contains(py.Project.Dynamic, "dependencies") {
		return
	}
	files, several := py.Tool.Setuptools.Dynamic.Dependencies.File.([]any)
	if !several {
		files = []any{py.Tool.Setuptools.Dynamic.Dependencies.File}
	}
	for i, f := range files {
		name, ok := f.(string)
		if !ok {
			continue
		}
		at := py.at(key)
		if several {
			at = py.at(tomltext.Element(key, i))
		}
		fromSetuptoolsFile(t, py, path.Join(path.Dir(py.path), name), at)
	}
}

// fromSetuptoolsFile adds the lines of a file. setuptools leaves out comments and knows no options.
func fromSetuptoolsFile(t files.Tree, py *Pyproject, file string, at fault.Position) {
	data, ok := t.SmallFile(file, at, "requirements file")
	if !ok {
		return
	}
	t.Source(file, data)
	for _, l := range pypi.ParseLines(string(data)) {
		py.move(l.Text, fault.Position{File: file, Line: l.Number, Column: 1})
		py.Project.Dependencies = append(py.Project.Dependencies, l.Text)
	}
	py.dependenciesKnown()
}

// move remembers where a requirement stands that is not written so in the file.
func (p *Pyproject) move(line string, at fault.Position) {
	if p.moved == nil {
		p.moved = map[string]fault.Position{}
	}
	p.moved[line] = at
}

// dependenciesKnown notes that [project] now holds what was dynamic.
func (p *Pyproject) dependenciesKnown() {
	p.rewritten = true
	p.Project.Dynamic = slices.DeleteFunc(p.Project.Dynamic, func(key string) bool { return key == "dependencies" })
}

// badTOML reports a file that is no TOML, at the place where its reader stopped.
func badTOML(report *yamldoc.Report, name string, err error) {
	at := fault.Position{File: name}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		at.Line, at.Column = decode.Position()
	}
	report.Specf(at, "TOML: %s", err.Error())
}

// projectSource takes the dependencies of pyproject.toml, with the extras and groups that the project file names, and returns also what they say.
func projectSource(t files.Tree, p Spec, py *Pyproject) (*recipe.ProjectSource, Asked) {
	if py == nil {
		return nil, Asked{} // reported when it was read
	}
	at := fault.Position{File: py.path}
	read := newReader(t, p.indexes)
	source := &recipe.ProjectSource{
		File:   recipe.File{Path: py.path, Data: string(py.data), Top: true},
		Extras: recipe.SortedUnique(yamldoc.Values(p.extras)), Groups: recipe.SortedUnique(yamldoc.Values(p.groups)),
	}
	if py.Project == nil && len(p.groups) == 0 {
		t.Specf(at, "pyproject.toml has no [project] table").Hint("name requirements in python.requirements or python.packages")
		return source, Asked{}
	}
	if py.Project == nil {
		source.Bare = true
		read.items(wantedGroups(t.Report, py, p.groups))
		return source, read.Asked
	}
	if slices.Contains(py.Project.Dynamic, "dependencies") {
		t.Specf(at, "the dependencies of pyproject.toml are dynamic: only its build backend knows them").
			Hint("list them under [project] dependencies, or name the file that holds them in python.requirements")
	}
	read.items(py.strings(py.dependencies()))
	read.items(wantedExtras(t.Report, py, p.extras))
	read.items(wantedGroups(t.Report, py, p.groups))
	scanForCredentials(t.Report, py)
	return source, read.Asked
}

// scanForCredentials finds URLs with credentials outside the dependencies too: the resolver reads [tool.uv].
func scanForCredentials(report *yamldoc.Report, py *Pyproject) {
	for i, line := range strings.Split(string(py.data), "\n") {
		at := fault.Position{File: py.path, Line: i + 1, Column: 1}
		known := slices.ContainsFunc(report.Faults, func(f *fault.Fault) bool {
			return f.Code == fault.SecretLeak && f.At.File == at.File && f.At.Line == at.Line
		})
		if yamldoc.HasUserInfo(variableUser.ReplaceAllString(line, "//")) && !known {
			report.Leakf(at, "a URL here holds credentials").Hint("name the index in %s with secret: id", files.ProjectFile)
		}
	}
}

// wantedExtras returns the requirements of extras, with those of the extras that they name.
func wantedExtras(report *yamldoc.Report, py *Pyproject, wanted []yamldoc.String) []yamldoc.String {
	var items []projectItem
	for _, extra := range wanted {
		found, ok := py.extra(extra.Value)
		if !ok {
			f := fault.New(fault.Spec, "%s has no extra %q", py.path, extra.Value).In(extra.At)
			yamldoc.DidYouMean(f, extra.Value, recipe.SortedKeys(py.Project.OptionalDependencies))
			report.Add(f)
		}
		items = append(items, found...)
	}
	return py.strings(items)
}

// wantedGroups returns the requirements of dependency groups, with those of the groups that they include.
func wantedGroups(report *yamldoc.Report, py *Pyproject, wanted []yamldoc.String) []yamldoc.String {
	var items []projectItem
	for _, group := range wanted {
		if py.group(group.Value) == nil {
			f := fault.New(fault.Spec, "%s has no dependency group %q", py.path, group.Value).In(group.At)
			yamldoc.DidYouMean(f, group.Value, recipe.SortedKeys(py.DependencyGroups))
			report.Add(f)
			continue
		}
		found, circle := py.groupItems(group.Value, nil)
		if circle != "" {
			report.Specf(fault.Position{File: py.path}, "the dependency group %q includes itself", circle)
		}
		items = append(items, found...)
	}
	return py.strings(items)
}
