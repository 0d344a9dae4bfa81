// Package profiles reads what a user wants and decides it: a project file (or a bare project) and a profile in,
// a Recipe out. It knows nothing of BuildKit, opens no connection and runs nothing.
//
//	Load(fs.FS, file) → *Project → Resolve(Selection) → *recipe.Recipe
//
// Start with project.go, how a file and its profiles are laid over each other, then resolve.go, which decides the sections in order; each section
// of the file has a file here. The package is large because the project file has many sections, and each is decided in one place by its own part of
// the file and by what was decided before it.
//
// The packages below: recipe has the values that come out, yamldoc reads strict YAML, compat has the tables, pypi the rules of Python packaging, files
// reads the project's files, requirements what it asks of its Python packages, pylock and buildlock the locks. Above it scaffold proposes a project
// file, from the Survey of a project that has none.
package profiles
