package scaffold

import "github.com/mlbuild/mlbuild/profiles/pypi"

// Survey is what a project without a project file says of itself. The zero value is an empty directory.
type Survey struct {
	Name         string             // pyproject.toml's, else the directory's
	Python       string             // "3.11"
	PyProject    bool               // a pyproject.toml describes it
	Requirements []pypi.Requirement // what it asks for by name
	Copy         []string           // files and directories that its image gets, sorted
	Script       string             // its only console script; "" = none, or several
	Function     string             // what the script calls, "module:function"
	Builds       bool               // the project says how it is built

	Input string   // the file of another tool that is read as a requirements file, "" = none
	Conda []string // the packages of an environment of conda's, by their probable names on the index; nil = it has none
	Setup bool     // only a setup.py says what the project requires

	Ignored func(name string) bool // reports whether .dockerignore, or what no image needs, leaves a path out
	Beside  func(dir string) bool  // reports whether a directory's name is of one that lies beside an app: tests, docs, …
}
