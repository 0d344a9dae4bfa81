// Package scaffold proposes a project file: a project's files and what they say of it come in, the texts of mlbuild.yaml and .dockerignore go out, with notes on what was
// found and what is missing. It runs nothing and reads at most some hundred Python files. A project without a project file is built as it is proposed here.
//
//	Suggest(fs.FS, Survey) → Suggestion
//
// Start with scaffold.go; service.go has the kinds of services that are known.
package scaffold
