package convert

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
	"github.com/mlbuild/mlbuild/profiles/schema"
)

// projectFile writes mlbuild.yaml.
func projectFile(s said, q Question, target int) string {
	stage := q.File.Stages[target]
	from := q.File.Name
	if stage.Name != "" {
		from += ", stage " + stage.Name
	}
	lines := []string{schema.Modeline, "# From " + from + ". What could not be taken over stands at the end.", "version: 1", "name: " + scaffold.Word(q.Survey.Name)}
	body := slices.Concat(baseLines(s), pythonLines(s, q), systemLines(s), userLines(s), modelLines(s), pruneLines(s), appLines(s, q), stageLines(s), profileLines(s))
	text := strings.Join(body, "\n")
	lines = slices.Concat(lines, argLines(s, text), body, leftLines(s, q.File.Name))
	return strings.Join(lines, "\n") + "\n"
}

// argLines are the build arguments that the file uses.
func argLines(s said, text string) []string {
	var pairs []string
	var names []string
	for _, a := range s.args {
		if !strings.Contains(text, "${"+a.Name+"}") || slices.Contains(names, a.Name) {
			continue
		}
		names = append(names, a.Name)
		pairs = append(pairs, a.Name+": "+quoted(defaultOf(s.args, a.Value)))
	}
	if pairs == nil {
		return nil
	}
	return []string{"args: {" + strings.Join(pairs, ", ") + "}"}
}

// quoted is a text that YAML reads as a text.
func quoted(s string) string {
	if s == "" {
		return `""`
	}
	return scaffold.Word(s)
}

// literal is a text in which nothing stands for a build argument.
func literal(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// literals are words in which nothing stands for a build argument.
func literals(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = literal(w)
	}
	return scaffold.List(all)
}

// withArgs is a text in which only declared build arguments are ones.
func withArgs(args []dockerfile.Pair, s string) string {
	s = literal(s)
	for _, a := range args {
		s = strings.ReplaceAll(s, "$${"+a.Name+"}", "${"+a.Name+"}")
	}
	return s
}

func baseLines(s said) []string {
	var lines []string
	if s.base.why != "" {
		lines = append(lines, "# "+s.base.ref+" (line "+number(s.base.line)+"): "+s.base.why)
	}
	if s.base.key != "" && s.base.cuda == "" {
		lines = append(lines, "base: "+s.base.key)
	}
	return lines
}

// pythonLines are the lines of the section python.
func pythonLines(s said, q Question) []string {
	p := s.python
	keys := []string{fmt.Sprintf("version: %q", cmp.Or(s.base.python, q.Survey.Python))}
	add := func(key string, list []string) {
		if len(list) > 0 {
			keys = append(keys, key+": "+scaffold.List(list))
		}
	}
	add("requirements", p.files)
	add("packages", p.packages)
	add("constraints", p.constraints)
	if p.project != "" || p.install && q.Survey.PyProject {
		keys = append(keys, "project: "+projectPath(cmp.Or(p.project, ".")))
	}
	if p.install {
		keys = append(keys, "install: true")
	}
	add("extras", p.extras)
	add("groups", p.groups)
	add("find_links", p.links)
	if len(p.files)+len(p.packages) == 0 && p.project == "" && !p.install {
		keys = append(keys, inputs(q))
	}
	indexes := indexItems(p)
	if len(p.sources) > 0 {
		keys = append(keys, "build: {"+strings.Join(sourceBuilds(p), ", ")+"}")
	}
	if len(keys) < 4 && len(indexes) == 0 {
		return []string{"python: {" + strings.Join(keys, ", ") + "}"}
	}
	lines := []string{"python:"}
	for _, k := range keys {
		lines = append(lines, "  "+k)
	}
	if len(indexes) > 0 {
		lines = append(lines, "  indexes:")
	}
	return append(lines, indexes...)
}

func projectPath(dir string) string {
	if dir == "." {
		return dir
	}
	return scaffold.Word(dir)
}

// inputs is where the packages are named of a project whose Dockerfile installs none.
func inputs(q Question) string {
	switch {
	case isFile(q.Project, "requirements.txt"):
		return "requirements: [requirements.txt]"
	case q.Survey.PyProject:
		return "project: ."
	case q.Survey.Input != "" && q.Survey.Conda == nil:
		return "requirements: [" + q.Survey.Input + "]"
	}
	return "requirements: []"
}

func indexItems(p python) (lines []string) {
	if p.index != "" {
		lines = append(lines, "    - {name: main, url: "+scaffold.Word(p.index)+", default: true}")
	}
	for i, url := range p.indexes {
		lines = append(lines, fmt.Sprintf("    - {name: extra-%d, url: %s}", i+1, scaffold.Word(url)))
	}
	return lines
}

// sourceBuilds are items of python.build for packages that are built without isolation: they see what the project has.
func sourceBuilds(p python) (items []string) {
	for _, dir := range p.sources {
		requires := []string{"setuptools"}
		for _, name := range p.packages {
			if !strings.HasPrefix(name, ".") {
				requires = append(requires, requirementName.FindString(name))
			}
		}
		items = append(items, scaffold.Word(path.Base(dir))+": {isolation: false, requires: "+scaffold.List(requires)+"}")
	}
	return items
}

func systemLines(s said) []string {
	var keys []string
	if len(s.runtime) > 0 {
		keys = append(keys, "runtime: "+scaffold.List(s.runtime))
	}
	if build := without(s.build, s.runtime...); len(build) > 0 {
		keys = append(keys, "build: "+scaffold.List(build))
	}
	if keys == nil {
		return nil
	}
	return []string{"system: {" + strings.Join(keys, ", ") + "}"}
}

func pruneLines(s said) []string {
	if len(s.prune) == 0 {
		return nil
	}
	return []string{"prune: " + scaffold.List(s.prune)}
}

var userID = lazyregexp.New(`^([0-9]+)(?::([0-9]+))?$`)

// userLines are the lines of the section user. An image that would run as root only because nobody said otherwise runs as mlbuild's own user.
func userLines(s said) []string {
	name, _, _ := strings.Cut(s.user, ":")
	switch {
	case s.user == "" || strings.Contains(s.user, "$"):
		return []string{"# The Dockerfile names no user, and its image runs as root. This one runs as app, uid 1000; user: root keeps root."}
	case name == "root" || name == "0":
		return []string{"user: root"}
	}
	a := accountOf(s)
	var keys []string
	if a.name != "" && a.name != "app" {
		keys = append(keys, "name: "+scaffold.Word(a.name))
	}
	if a.uid >= 0 && a.uid != 1000 {
		keys = append(keys, "uid: "+number(a.uid))
	}
	if a.home != "" && a.home != "/home/"+cmp.Or(a.name, "app") {
		keys = append(keys, "home: "+scaffold.Word(a.home))
	}
	if keys == nil {
		return nil
	}
	return []string{"user: {" + strings.Join(keys, ", ") + "}"}
}

// accountOf is the account that USER names.
func accountOf(s said) account {
	name, _, _ := strings.Cut(s.user, ":")
	uid := -1
	if m := userID.FindStringSubmatch(s.user); m != nil {
		uid, _ = strconv.Atoi(m[1]) // of digits
	}
	for _, a := range s.accounts {
		if a.name == name || uid >= 0 && a.uid == uid {
			return a
		}
	}
	switch {
	case uid >= 0:
		return account{uid: uid}
	case name == "nobody":
		return account{name: name, uid: 65534}
	case name == "nonroot":
		return account{name: name, uid: 65532}
	}
	return account{name: name, uid: -1}
}

func modelLines(s said) []string {
	if len(s.models) == 0 {
		return nil
	}
	lines := []string{"models:"}
	for _, m := range s.models {
		lines = append(lines, "  - "+m)
	}
	return lines
}

// stageLines are the sections testing and dev.
func stageLines(s said) (lines []string) {
	add := func(key string, list []string) {
		if len(list) > 0 {
			lines = append(lines, "  "+key+": "+scaffold.List(list))
		}
	}
	if t := s.testing; t != nil {
		lines = append(lines, "testing:")
		add("requirements", t.files)
		add("groups", t.groups)
		add("copy", t.copied)
		add("command", t.command)
		add("reports", t.reports)
	}
	if d := s.dev; d != nil {
		lines = append(lines, "dev:")
		before := len(lines)
		add("requirements", d.files)
		add("packages", d.packages)
		add("system", d.system)
		if len(lines) == before {
			lines[before-1] = "dev: {}"
		}
	}
	return lines
}

// profileLines are the profiles of an image for CUDA.
func profileLines(s said) []string {
	cuda := cmp.Or(s.base.cuda, s.python.cuda)
	if cuda == "" {
		return nil
	}
	gpu := "  gpu: {accelerator: {cuda: " + strconv.Quote(cuda) + "}"
	if s.base.cuda != "" && s.base.key != "" {
		gpu += ", base: " + s.base.key
	}
	return []string{"profiles:   # the Dockerfile's image is the one of gpu: mlbuild --profile gpu", "  cpu: {}", gpu + "}"}
}

// leftLines are comments for what was not taken over.
func leftLines(s said, name string) []string {
	if len(s.left) == 0 {
		return nil
	}
	lines := []string{"", "# Not taken over from " + name + ":"}
	left := slices.Clone(s.left)
	slices.SortStableFunc(left, func(a, b Left) int { return cmp.Compare(a.Line, b.Line) })
	for _, l := range left {
		lines = append(lines, fmt.Sprintf("#   line %d: %s", l.Line, shortened(l.Text)))
		if l.Why != "" {
			lines = append(lines, "#     → "+l.Why)
		}
	}
	return lines
}

// shortened is the beginning of a long text.
func shortened(s string) string {
	if runes := []rune(s); len(runes) > 160 {
		return string(runes[:159]) + "…"
	}
	return s
}
