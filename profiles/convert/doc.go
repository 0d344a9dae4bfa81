// Package convert makes a project file of a Dockerfile: its stages and the project's files come in, the text of mlbuild.yaml goes out, with a comment for every line that it could
// not take over, and a report of what is bad in the Dockerfile. It is a start that says what it does not know; nothing is run.
//
//	Convert(Question) → Result
//
// Start with convert.go: which stages the image is made of, and what each step of them says. run.go sorts the commands of RUN, pip.go reads those that install packages, app.go what
// the image runs, files.go what it copies, base.go what it stands on; yaml.go writes the file, lint.go has the report.
package convert
