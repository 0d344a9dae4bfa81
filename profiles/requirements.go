package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
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

// wanted is what a project wants of its packages. It is made in steps: each takes what was wanted before it and returns another.
type wanted struct {
	requires recipe.Requirements // as the recipe has it
	direct   []requirement       // what is asked for by name
	replaced []requirement       // python.then and python.overrides, the last of each package
	hashed   []hashedLine        // requirements with hashes
	indexes  []indexLine         // options of requirements files that name indexes
	torch    torchLine           // the index of PyTorch that the project's files name
	uv       *foundUV            // the project's uv.lock, nil = none is used
	poetry   *foundPoetry        // its poetry.lock
}

// requirementQuestion is what a project's requirements are gathered by.
type requirementQuestion struct {
	files.Tree
	python  Spec // with the inputs that were chosen
	py      *pyproject
	profile string
}

// gatherRequirements reads what the project asks for, before it is known for which accelerator.
func gatherRequirements(q requirementQuestion) wanted {
	p := q.python
	read := newRequirementReader(q.Tree, p.indexes)
	var w wanted
	w.requires.Lock = "pylock." + q.profile + ".toml"
	w.requires.Allow = allowed(p.allow)
	w.requires.Files = read.fileList(p.requirements, false)
	w.requires.Constraints = read.fileList(p.constraints, true)
	w.requires.Packages = read.packages(p.packages)
	w = withSteps(q.Tree, p, w.with(read.asked))
	w = withOverrides(q.Tree, p, w)
	w.requires.NoDeps = normalizedNames(p.noDeps)
	if p.Project.Set {
		source, asked := projectSource(q.Tree, p, q.py)
		w.requires.Project = source
		w = w.with(asked)
	} else if len(p.extras)+len(p.groups) > 0 && !p.lock.Set {
		q.Specf(p.At, "python.extras and python.groups need python.project").Hint("write project: . beside them")
	}
	w = withForeignLock(q.Tree, p, q.py, w)
	from := gatherOrigins(q.Report, p, w.indexes, w.project(q.py), w.poetry)
	w.requires.Indexes, w.requires.FindLinks, w.torch = from.indexes, from.findLinks, from.torch
	w.requires.Strategy = resolveStrategy(q.Report, p.strategy)
	w.requires.Cooldown, w.requires.Fresh = resolveCooldown(q.Report, p.cooldown, p.fresh)
	w.requires.Hashes = pinnedHashes(w.hashed)
	return w
}

// with adds what was read to what the runtime asks for.
func (w wanted) with(a asked) wanted {
	w.direct, w.hashed, w.indexes = slices.Concat(w.direct, a.direct), slices.Concat(w.hashed, a.hashed), slices.Concat(w.indexes, a.indexes)
	w.requires = withSources(w.requires, a)
	return w
}

// project returns py if its dependencies are wanted, else nil.
func (w wanted) project(py *pyproject) *pyproject {
	if w.requires.Project == nil {
		return nil
	}
	return py
}

// buildConstraints reads python.build_constraints, which hold what builds from source choose, and returns also what they say.
func buildConstraints(t files.Tree, p Spec) ([]recipe.File, asked) {
	read := newRequirementReader(t, p.indexes)
	list := read.fileList(p.buildConstraints, true)
	return list, read.asked
}

// withSources adds what was read of packages that are built here. They are the same for the runtime and for every stage.
func withSources(req recipe.Requirements, list ...asked) recipe.Requirements {
	for _, a := range list {
		req.Source, req.Local = slices.Concat(req.Source, a.source), slices.Concat(req.Local, a.local)
	}
	return req
}

// projectOf reads the pyproject.toml whose dependencies are wanted, as the recipe has it; without one, or with one that is wrong, which was reported when
// it was found, it says nothing.
func projectOf(req recipe.Requirements) *pyproject {
	if req.Project == nil {
		return &pyproject{}
	}
	py, err := readPyproject(req.Project.File)
	if err != nil {
		return &pyproject{}
	}
	return py
}

// parsed returns requirements whose texts are final with what they say.
func parsed(req recipe.Requirements) recipe.Requirements {
	req.Parse()
	if req.Project != nil {
		py, project := projectOf(req), *req.Project
		project.Lines = py.lines(true, project.Extras, project.Groups)
		project.Repos = py.Tool.UV.repos(project.Lines)
		req.Project = &project
	}
	return req
}

// parsedStage is parsed for what a stage asks for beyond the runtime, whose requirements are runtime.
func parsedStage(q recipe.StageRequirements, runtime recipe.Requirements) recipe.StageRequirements {
	py := projectOf(runtime)
	q.Parse()
	q.ProjectLines = py.lines(false, q.Extras, q.Groups)
	q.Repos = py.Tool.UV.repos(q.ProjectLines)
	return q
}

func normalizedNames(list []yamldoc.String) []string {
	var names []string
	for _, s := range list {
		names = append(names, pypi.Normalize(s.Value))
	}
	return recipe.SortedUnique(names)
}

// chosenInputs returns p with the requirements of a project that names none: those that a named lock belongs to, else what is there. file is the project file.
func chosenInputs(t files.Tree, p Spec, py *pyproject, file string) Spec {
	if p.requirements != nil || p.packages != nil || p.Project.Set {
		return p
	}
	here := func(at fault.Position) yamldoc.String { return yamldoc.String{Value: ".", At: at, Set: true} }
	switch base := path.Base(p.lock.Value); {
	case p.lock.Set && (base == "uv.lock" || base == "poetry.lock"):
		p.Project = here(p.lock.At)
	case p.lock.Set && p.lock.Value != "none": // a lock in the standard's form lists every package
	case t.Exists("requirements.txt"):
		if py.hasProject() {
			t.Notef("requirements.txt is used, the dependencies of pyproject.toml are not")
		}
		p.requirements = []yamldoc.String{{Value: "requirements.txt", Set: true}}
	case py.hasProject():
		p.Project = here(fault.Position{})
	default:
		t.Add(nothingToBuildFrom(t, p.At, file))
	}
	return p
}

// nothingToBuildFrom is the fault of a project without requirements. It names files of other tools that lie there.
func nothingToBuildFrom(t files.Tree, at fault.Position, file string) *fault.Fault {
	f := fault.New(fault.Spec, "nothing to build from: there is no requirements.txt and no pyproject.toml with a [project] table")
	if file != "" {
		f.In(fault.Position{File: file, Line: at.Line, Column: at.Column})
	}
	f.Hint("write a requirements.txt, or python: {requirements: [file]} in %s; requirements: [] means no packages", files.ProjectFile)
	for _, other := range otherTools {
		if t.Exists(other.file) {
			f.Hint("%s is here: %s", other.file, other.hint)
		}
	}
	return f
}

// otherTools are files that hold dependencies in a form that mlbuild does not read.
var otherTools = []struct{ file, hint string }{
	{"Pipfile", "run: pipenv requirements > requirements.txt"},
	{"environment.yml", "list its pip packages in requirements.txt; conda packages are not installed."},
	{"setup.py", "move install_requires to [project] dependencies in pyproject.toml, or to requirements.txt."},
	{"setup.cfg", "move install_requires to [project] dependencies in pyproject.toml, or to requirements.txt."},
}

// asksIn reports whether one of the packages is asked for by name.
func asksIn(direct []requirement, names ...string) bool {
	return slices.ContainsFunc(direct, func(q requirement) bool { return slices.Contains(names, q.Name) })
}
