package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// onGitHub reports whether this is a step of GitHub Actions, or of what takes its commands, such as Forgejo's and act.
func (e *env) onGitHub() bool { return e.get("GITHUB_ACTIONS") == "true" }

// repository is the directory of the repository that a CI job works on, "" = unknown, or this is no CI.
func (e *env) repository() string {
	switch {
	case e.onGitHub():
		return e.get("GITHUB_WORKSPACE")
	case e.get("GITLAB_CI") == "true":
		return e.get("CI_PROJECT_DIR")
	}
	return ""
}

// inRepository returns faults with their files as the repository has them. dir is the project's directory, absolute. A file outside of the repository stays as it is.
func (e *env) inRepository(dir string, faults fault.List) fault.List {
	root := e.repository()
	if root == "" {
		return faults
	}
	all := make(fault.List, len(faults))
	for i, f := range faults {
		moved := *f
		if moved.At.File != "" {
			moved.At.File = pathBelow(root, dir, moved.At.File)
		}
		all[i] = &moved
	}
	return all
}

// pathBelow returns the slash path below root of a file of a directory, the file itself where it lies elsewhere.
func pathBelow(root, dir, file string) string {
	path := filepath.FromSlash(file)
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	for _, of := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		from, err := of(root)
		if err != nil {
			continue
		}
		in, err := of(filepath.Dir(path))
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(from, filepath.Join(in, filepath.Base(path))); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return file
}

// annotate repeats faults as commands that GitHub shows beside the lines that they are of
// (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands). stdout is for data; GitHub reads both streams.
func (e *env) annotate(dir string, faults fault.List) {
	if !e.onGitHub() {
		return
	}
	for _, f := range e.inRepository(dir, faults) {
		fmt.Fprintln(e.stderr, command("error", properties(f.At)+"title="+property(string(f.Code)), annotation(f)))
	}
}

// annotation is a fault without its place, which the command has.
func annotation(f *fault.Fault) string {
	bare := *f
	bare.At = fault.Position{}
	return evidence.Text(&bare)
}

// properties are those of a place, each with a comma behind it.
func properties(at fault.Position) string {
	if at.File == "" {
		return ""
	}
	said := "file=" + property(at.File) + ","
	if at.Line > 0 {
		said += fmt.Sprintf("line=%d,", at.Line)
		if at.Column > 0 {
			said += fmt.Sprintf("col=%d,", at.Column)
		}
	}
	return said
}

// annotateNotes repeats the notes of a build: what was found out while an image was made is a warning.
func (e *env) annotateNotes(notes []string, result *builder.Result) {
	if !e.onGitHub() {
		return
	}
	var warnings []string
	for _, m := range result.Images {
		for _, n := range m.Notes {
			warnings = append(warnings, imageNote(m, n))
		}
	}
	for _, n := range notes {
		kind := "notice"
		if slices.Contains(warnings, n) {
			kind = "warning"
		}
		fmt.Fprintln(e.stderr, command(kind, "title=mlbuild", n))
	}
}

// command is a workflow command.
func command(name, props, message string) string {
	return "::" + name + " " + props + "::" + inData.Replace(message)
}

// What the toolkit of GitHub's actions escapes in a command's message and in its properties (actions/toolkit, packages/core/src/command.ts).
var (
	inData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	inProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func property(value string) string { return inProperty.Replace(value) }

// inert changes lines that GitHub would take for commands, as the output of a step that failed may have them. Other streams get the text as it is.
func (e *env) inert(text string) string {
	if !e.onGitHub() {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "::") {
			lines[i] = "> " + l
		}
		lines[i] = strings.ReplaceAll(lines[i], "##[", "## [") // the older form, which may stand anywhere in a line
	}
	return strings.Join(lines, "\n")
}
