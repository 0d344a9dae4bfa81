package convert

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
)

// Question is what a project file is made of.
type Question struct {
	File    *dockerfile.File
	Project fs.FS           // the build context
	Survey  scaffold.Survey // what the project says of itself
	Target  string          // the stage that becomes the image, "" = chosen
}

// Result is a project file, and what is to be said about it.
type Result struct {
	File     string // text of mlbuild.yaml
	Runs     bool   // it says what the image runs
	Stage    string // that became the image, "" = it has no name
	Left     []Left // what was not taken over, in the order of lines
	Findings []Finding
}

// Left is a line that was not taken over.
type Left struct {
	Line int
	Text string
	Why  string // what to do instead, "" = nothing
}

// said is what the stages of an image say, as the project file has it.
type said struct {
	base     base
	python   python
	runtime  []string // Debian packages
	build    []string
	accounts []account
	user     string // of the last USER
	workdir  string
	copied   []rule
	fed      []string // files that steps before the image take
	command  []string
	entry    []string
	init     bool
	ports    []string
	volumes  []string
	dirs     []string
	env      []dockerfile.Pair
	labels   []dockerfile.Pair
	args     []dockerfile.Pair
	health   *dockerfile.Health
	signal   string
	models   []string
	prune    []string
	testing  *testing
	dev      *dev
	left     []Left
}

// place is where a step stands.
type place struct {
	file    *dockerfile.File
	project fs.FS
	survey  scaffold.Survey
	step    dockerfile.Step
	workdir string
	sources map[string]string // what the stage has of the project, by its path in the stage
	helper  bool              // the stage is no part of the image, which copies files from it
	tools   bool              // the packages of the stage are not the image's
}

// Convert reads a Dockerfile as a project file.
func Convert(q Question) Result {
	target := chooseTarget(q.File, q.Target)
	chain := ancestors(q.File, target)
	helpers := helpersOf(q.File, chain)
	s := said{workdir: "/", base: readBase(q.File.Stages[chain[0]])}
	taken := environments(q.File, chain, helpers)
	for _, i := range helpers {
		s, _ = readStage(s, q, i, place{helper: true, tools: !taken[i], workdir: "/"})
	}
	at := place{workdir: "/"}
	for _, i := range chain {
		s, at = readStage(s, q, i, at)
	}
	s = otherStages(s, q, chain, helpers)
	s.workdir = at.workdir
	s = settled(s, q)
	slices.SortStableFunc(s.left, func(a, b Left) int { return cmp.Compare(a.Line, b.Line) })
	return Result{File: projectFile(s, q, target), Runs: len(s.command)+len(s.entry) > 0, Stage: q.File.Stages[target].Name, Left: s.left, Findings: lint(q, s, chain, helpers)}
}

// chooseTarget is the stage that becomes the image: the named one, else the last, unless that is for tests, for work or for files and another says by its name that it runs.
func chooseTarget(f *dockerfile.File, named string) int {
	last := len(f.Stages) - 1
	index := func(name string) int {
		return slices.IndexFunc(f.Stages, func(s dockerfile.Stage) bool { return name != "" && s.Name == name })
	}
	if i := index(strings.ToLower(named)); i >= 0 {
		return i
	}
	if s := f.Stages[last]; s.Base != "scratch" && !isBeside(s.Name) {
		return last
	}
	for _, name := range []string{"runtime", "production", "prod", "final", "release", "app", "serve", "server", "main"} {
		if i := index(name); i >= 0 {
			return i
		}
	}
	return last
}

// isBeside reports whether a stage is named as one that is not for running the project.
func isBeside(name string) bool {
	for _, word := range []string{"dev", "test", "debug", "lint", "report", "jupyter", "notebook"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// ancestors are the stages that a stage stands on, from the first, and itself.
func ancestors(f *dockerfile.File, i int) []int {
	chain := []int{i}
	for f.Stages[chain[0]].Of >= 0 {
		chain = slices.Insert(chain, 0, f.Stages[chain[0]].Of)
	}
	return chain
}

// helpersOf are the stages that others copy or mount files from, in their order, with what they stand on.
func helpersOf(f *dockerfile.File, chain []int) []int {
	var found []int
	next := slices.Clone(chain)
	for len(next) > 0 {
		i := next[0]
		next = next[1:]
		for _, step := range f.Stages[i].Steps {
			for _, from := range origins(step) {
				n, ok := stageNamed(f, i, from)
				if !ok {
					continue
				}
				for _, a := range ancestors(f, n) {
					if !slices.Contains(chain, a) && !slices.Contains(found, a) {
						found, next = append(found, a), append(next, a)
					}
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// origins are the stages and images that a step takes files of.
func origins(step dockerfile.Step) []string {
	var from []string
	if step.Files.From != "" {
		from = append(from, step.Files.From)
	}
	for _, m := range step.Mounts {
		if m.From != "" {
			from = append(from, m.From)
		}
	}
	return from
}

// stageNamed is the stage before i of a name or a number.
func stageNamed(f *dockerfile.File, i int, name string) (int, bool) {
	for n := i - 1; n >= 0; n-- {
		if f.Stages[n].Name == strings.ToLower(name) && name != "" || name == number(n) {
			return n, true
		}
	}
	return 0, false
}

// environments are the helpers whose Python packages come into the image.
func environments(f *dockerfile.File, chain, helpers []int) map[int]bool {
	taken := map[int]bool{}
	for _, i := range slices.Concat(chain, helpers) {
		for _, step := range f.Stages[i].Steps {
			n, ok := stageNamed(f, i, step.Files.From)
			if !ok || !slices.ContainsFunc(step.Files.Sources, isEnvironment) {
				continue
			}
			for _, a := range ancestors(f, n) {
				taken[a] = true
			}
		}
	}
	return taken
}

// isEnvironment reports whether a path is one that Python packages are installed in, or wheels lie in.
func isEnvironment(p string) bool {
	p = strings.TrimSuffix(path.Clean(p), "/")
	for _, part := range []string{"venv", "site-packages", "dist-packages", "wheel", "virtualenv", "/.local", "/install", "/deps", "/dependencies", "/packages", "conda"} {
		if strings.Contains(p, part) {
			return true
		}
	}
	return slices.Contains([]string{"/usr/local", "/usr/local/lib", "/usr/local/bin", "/opt", "/usr", "/"}, p)
}

// readStage reads the steps of one stage. at has its working directory and what is known of it before.
func readStage(s said, q Question, i int, at place) (said, place) {
	at.file, at.project, at.survey = q.File, q.Project, q.Survey
	at.sources = map[string]string{}
	if stage := q.File.Stages[i]; stepLine(stage, dockerfile.Entrypoint) > 0 && stepLine(stage, dockerfile.Cmd) == 0 {
		s.command = nil // an entrypoint takes the command away that the stage stands on
	}
	for _, step := range q.File.Stages[i].Steps {
		at.step = step
		if step.Kind == dockerfile.Workdir {
			at.workdir = inDir(at.workdir, step.Value)
			continue
		}
		if step.Kind == dockerfile.Copy || step.Kind == dockerfile.Add {
			for _, src := range step.Files.Sources {
				at.sources[target(at, src)] = strings.TrimPrefix(path.Clean(src), "/")
			}
		}
		s = readStep(s, at)
	}
	return s, at
}

// readStep adds what one step says.
func readStep(s said, at place) said {
	step := at.step
	switch step.Kind {
	case dockerfile.Arg:
		s.args = append(s.args, step.Pairs...)
	case dockerfile.Run:
		for _, c := range step.Commands {
			s = readCommand(s, at, c)
		}
	case dockerfile.Copy, dockerfile.Add:
		s = readCopy(s, at)
	case dockerfile.Env:
		if !at.helper {
			s.env = append(s.env, step.Pairs...)
		}
	default:
		if !at.helper {
			s = readConfig(s, step)
		}
	}
	return s
}

// leave notes a line that is not taken over.
func leave(s said, line int, text, why string) said {
	s.left = append(slices.Clone(s.left), Left{Line: line, Text: text, Why: why})
	return s
}

// inDir is a path as it is seen from a directory.
func inDir(dir, p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(dir, p)
}
