package requirements

import (
	"path"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Choose returns p with the requirements of a project that names none: those that a named lock belongs to, else what is there. py is its pyproject.toml, nil = none;
// file is the project file's path, "" = none. E-SPEC if there is nothing to build from.
func Choose(t files.Tree, p Spec, py *Pyproject, file string) Spec {
	if p.requirements != nil || p.packages != nil || p.Project.Set {
		return p
	}
	here := func(at fault.Position) yamldoc.String { return yamldoc.String{Value: ".", At: at, Set: true} }
	switch base := path.Base(p.lock.Value); {
	case p.lock.Set && (base == "uv.lock" || base == "poetry.lock"):
		p.Project = here(p.lock.At)
	case p.lock.Set && p.lock.Value != "none": // a lock in the standard's form lists every package
	case t.Exists("requirements.txt"):
		if py.HasProject() {
			t.Notef("requirements.txt is used, the dependencies of pyproject.toml are not")
		}
		noteOtherTools(t, p, "requirements.txt")
		p.requirements = []yamldoc.String{{Value: "requirements.txt", Set: true}}
	case py.HasProject():
		noteOtherTools(t, p, py.path)
		p.Project = here(fault.Position{})
	case InputOf(t, py) != "":
		name := InputOf(t, py)
		t.Notef("%s is read as a requirements file", name)
		p.requirements = []yamldoc.String{{Value: name, Set: true}}
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
	if file == "" {
		f.Hint("mlbuild init writes %s with what it finds: name the packages there in python.packages, or a file in python.requirements", files.ProjectFile)
	}
	f.Hint("write a requirements.txt, or python: {requirements: [file]} in %s; requirements: [] means no packages", files.ProjectFile)
	for _, other := range otherTools {
		if t.Exists(other.file) {
			f.Hint("%s is here: %s", other.file, other.hint)
		}
	}
	return f
}

// foreignLocks are the locks of other tools, and environments, that mlbuild does not read, with what makes requirements of them.
var foreignLocks = []struct{ file, hint string }{
	{"Pipfile.lock", "pipenv requirements > requirements.txt"},
	{"conda-lock.yml", "list its pip packages in requirements.txt"},
	{"environment.yaml", "list its pip packages in requirements.txt; conda packages are not installed"},
	{"environment.yml", "list its pip packages in requirements.txt; conda packages are not installed"},
	{"pdm.lock", "pdm export --prod -o requirements.txt writes its versions, and python: {requirements: [requirements.txt]} takes them; a lock without markers first needs pdm lock --update-reuse --strategy inherit_metadata"},
	{"pixi.lock", "list its packages in requirements.txt; conda packages are not installed"},
	{"requirements.lock", "python: {requirements: [requirements.lock]} takes its versions"},
}

// noteOtherTools tells of files that say which versions are wanted, where used is taken and they are not read. python.lock: none says that they are not wanted.
func noteOtherTools(t files.Tree, p Spec, used string) {
	for _, other := range foreignLocks {
		if file := path.Join(path.Dir(used), other.file); !p.lock.Set && t.Exists(file) {
			t.Notef("%s is not read, %s is used: %s (python: {lock: none} takes this note away)", file, used, other.hint)
		}
	}
}

// otherTools are files that hold dependencies in a form that mlbuild does not read.
var otherTools = []struct{ file, hint string }{
	{"Pipfile", "run: pipenv requirements > requirements.txt"},
	{"Pipfile.lock", "run: pipenv requirements > requirements.txt"},
	{"environment.yml", "list its pip packages in requirements.txt; conda packages are not installed."},
	{"setup.py", "python: {install: true} installs the project with what it requires; with extras: python: {install: true, extras: [name]}"},
	{"setup.cfg", "beside a pyproject.toml with [build-system], python: {install: true} installs the project with what it requires."},
}
