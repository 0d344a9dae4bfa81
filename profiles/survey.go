package profiles

import (
	"io/fs"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Survey is what a project without a project file says of itself.
type Survey struct {
	Name         string             // pyproject.toml's, else the directory's
	Python       string             // "3.11"
	PyProject    bool               // a pyproject.toml describes it
	Requirements []pypi.Requirement // what it asks for by name
	Copy         []string           // files and directories that its image gets, sorted
	Script       string             // the only console script of a project that says how it is built; "" = none, or several
	ignore       *files.Ignores
}

// NewSurvey reads a project. directory names it where pyproject.toml does not. What is wrong in it is told when it is built, and here left out.
func NewSurvey(fsys fs.FS, directory string) Survey {
	t := files.Tree{Report: yamldoc.NewReport(), FS: fsys}
	py := requirements.FindPyproject(t, yamldoc.String{})
	wanted := requirements.Gather(requirements.Question{Tree: t, Python: requirements.Choose(t, requirements.Spec{}, py, ""), Py: py, Profile: defaultProfile})
	s := Survey{
		Name: resolveName(t.Report, yamldoc.String{}, py.Name(), directory), PyProject: py.HasProject(),
		Python: resolvePython(t, yamldoc.String{}, yamldoc.String{}, py).Version, ignore: files.ReadIgnores(t, nil, nil),
	}
	if scripts := recipe.SortedKeys(py.Scripts()); len(scripts) == 1 && requirements.Builds(py) {
		s.Script = scripts[0]
	}
	for _, q := range wanted.Direct {
		s.Requirements = append(s.Requirements, q.Requirement)
	}
	for _, rule := range detectApp(t, s.ignore) {
		s.Copy = append(s.Copy, rule.From.Value)
	}
	return s
}

// Ignored reports whether the project's .dockerignore, or what no image needs, leaves a path out.
func (s Survey) Ignored(name string) bool { return s.ignore.ByUser(name) }

// Beside reports whether a directory's name is of one that lies beside an app and is no part of it: tests, docs, …
func (s Survey) Beside(dir string) bool { return slices.Contains(notAppDirs, dir) }
