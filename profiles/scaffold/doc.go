// Package scaffold proposes a project file: a project's files in, the texts of mlbuild.yaml and .dockerignore out, with notes on what was found and
// what is missing. It runs nothing and reads at most some hundred Python files.
//
//	Suggest(fs.FS, directory) → Suggestion
//
// Start with scaffold.go; service.go has the kinds of services that are known.
package scaffold
