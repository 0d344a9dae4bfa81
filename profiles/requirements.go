package profiles

import (
	"io/fs"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// requirement is a package that the project asks for by name.
type requirement struct {
	pypi.Requirement
	pin  string // the version of == where its marker may hold, "" = none
	tail string // what follows the name and its extras, as an override repeats it
	at   fault.Position
}

// text is the requirement as the resolver reads it.
func (q requirement) text() string {
	if strings.HasPrefix(q.tail, "@") {
		return q.Name + q.ExtrasText() + " " + q.tail
	}
	return q.Name + q.ExtrasText() + q.tail
}

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
	read := r.reader()
	req.Files = read.fileList(files, false)
	req.Constraints = read.fileList(p.constraints, true)
	for _, s := range p.packages {
		req.Packages = append(req.Packages, s.Value)
		read.item(s)
	}
	r.take(read.asked)
	r.then()
	r.overrides()
	req.NoDeps = normalizedNames(p.noDeps)
	if p.project.Set {
		req.Project = r.projectSource()
	} else if len(p.extras)+len(p.groups) > 0 && !p.lock.Set {
		r.Specf(p.at, "python.extras and python.groups need python.project").Hint("write project: . beside them")
	}
	r.foreignLock()
	r.indexes()
	req.Hashes = pinnedHashes(r.hashed)
}

// reader returns a reader of the project's requirements that has read none.
func (r *resolver) reader() *requirementReader {
	return &requirementReader{tree: r.tree, own: r.spec.python.indexes}
}

// take adds what was read to what the runtime asks for.
func (r *resolver) take(a asked) {
	r.direct, r.hashed, r.found.lines = append(r.direct, a.direct...), append(r.hashed, a.hashed...), append(r.found.lines, a.indexes...)
	r.takeSources(a)
}

// takeSources adds what was read of packages that are built here. They are the same for the runtime and for every stage.
func (r *resolver) takeSources(a asked) {
	req := &r.recipe.Requires
	req.Source, req.Local = append(req.Source, a.source...), append(req.Local, a.local...)
}

// buildConstraints reads the constraints of builds from source.
func (r *resolver) buildConstraints() []recipe.File {
	read := r.reader()
	files := read.fileList(r.spec.python.buildConstraints, true)
	r.takeSources(read.asked)
	return files
}

// parse fills the parsed values of the recipe, now that its texts are final.
func (r *resolver) parse() {
	req := &r.recipe.Requires
	req.Parse()
	var stages []*recipe.StageRequirements
	if t := r.recipe.Testing; t != nil {
		stages = append(stages, &t.Requires)
	}
	if d := r.recipe.Dev; d != nil {
		stages = append(stages, &d.Requires)
	}
	for _, q := range stages {
		q.Parse()
	}
	if req.Project == nil {
		return
	}
	py, err := readPyproject(req.Project.File)
	if err != nil {
		return // reported when it was read
	}
	req.Project.Lines = py.lines(true, req.Project.Extras, req.Project.Groups)
	req.Project.Repos = py.Tool.UV.repos(req.Project.Lines)
	for _, q := range stages {
		q.ProjectLines = py.lines(false, q.Extras, q.Groups)
		q.Repos = py.Tool.UV.repos(q.ProjectLines)
	}
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
	f.Hint("write a requirements.txt, or python: {requirements: [file]} in %s; requirements: [] means no packages", FileName)
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
