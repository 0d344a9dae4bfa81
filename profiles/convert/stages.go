package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
)

// testing is a stage that runs the tests.
type testing struct {
	command, copied, files, groups, reports []string
}

// dev is a stage to work in.
type dev struct {
	files, packages, system []string
}

// otherStages takes the stages that the image is not made of: one that runs tests, one to work in. The others are noted.
func otherStages(s said, q Question, chain, helpers []int) said {
	for i, stage := range q.File.Stages {
		if slices.Contains(chain, i) || slices.Contains(helpers, i) {
			continue
		}
		own, _ := readStage(said{workdir: "/", args: s.args}, q, i, place{workdir: s.workdir})
		packages := packagesOf(q, i, own)
		switch {
		case s.testing == nil && testCommand(stage) != nil:
			s.left = append(s.left, slices.DeleteFunc(own.left, func(l Left) bool { return l.Why == ofTests })...)
			s.testing = &testing{command: testCommand(stage), copied: testCopies(own), files: newFiles(s, packages.files), groups: packages.groups, reports: reportsOf(testCommand(stage))}
		case s.dev == nil && (strings.Contains(stage.Name, "dev") || strings.Contains(stage.Name, "jupyter") || mentions(own.command, "jupyter")) && len(own.command) > 0:
			s.left = append(s.left, own.left...)
			s.dev = &dev{files: newFiles(s, packages.files), packages: packages.packages, system: without(own.runtime, s.runtime...)}
		case !servesAnother(q.File, i) && stage.Base != "scratch":
			s = leave(s, stage.Line, stageText(stage), "the image is not made of this stage")
		}
	}
	return s
}

// packagesOf is what a stage installs, with what the stages install that it copies environments of.
func packagesOf(q Question, i int, own said) python {
	p := own.python
	for n := range environments(q.File, []int{i}, nil) {
		more, _ := readStage(said{}, q, n, place{helper: true, workdir: "/"})
		p.files, p.groups, p.packages = appendNew(p.files, more.python.files...), appendNew(p.groups, more.python.groups...), appendNew(p.packages, more.python.packages...)
	}
	return p
}

// servesAnother reports whether other stages are made of a stage, or copy of it.
func servesAnother(f *dockerfile.File, i int) bool {
	for n, other := range f.Stages {
		if other.Of == i {
			return true
		}
		for _, step := range other.Steps {
			for _, from := range origins(step) {
				if m, ok := stageNamed(f, n, from); ok && m == i {
					return true
				}
			}
		}
	}
	return false
}

func stageText(s dockerfile.Stage) string {
	if s.Name == "" {
		return "FROM " + s.Base
	}
	return "FROM " + s.Base + " AS " + s.Name
}

// testCommand is the command of a stage that runs tests, nil if it has none.
func testCommand(stage dockerfile.Stage) []string {
	for _, step := range stage.Steps {
		if step.Kind == dockerfile.Cmd && isTest(withoutEnvironment(step.Words)) {
			return withoutEnvironment(step.Words)
		}
		for _, c := range step.Commands {
			if words := withoutEnvironment(withoutLauncher(c.Words)); isTest(words) {
				return words
			}
		}
	}
	return nil
}

func isTest(words []string) bool {
	if len(words) > 2 && isPython.MatchString(path.Base(words[0])) && words[1] == "-m" {
		words = words[2:]
	}
	return len(words) > 0 && slices.Contains([]string{"pytest", "unittest", "nose2", "tox"}, path.Base(words[0]))
}

func testCopies(own said) (names []string) {
	for _, r := range own.copied {
		if r.from != "." && (!isInput(r.from) || r.from == "pyproject.toml") && !slices.Contains(names, r.from) {
			names = append(names, r.from)
		}
	}
	return names
}

func newFiles(s said, files []string) []string { return without(files, s.python.files...) }

// reportsOf are the files that pytest is told to write.
func reportsOf(words []string) (files []string) {
	for _, w := range words {
		if file, ok := strings.CutPrefix(w, "--junitxml="); ok {
			files = append(files, file)
		}
		if w == "--cov-report=xml" {
			files = append(files, "coverage.xml")
		}
	}
	return files
}
