package scaffold

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Suggestion is a project file and a .dockerignore for a project that has none.
type Suggestion struct {
	File   string   // text of mlbuild.yaml
	Ignore string   // text of .dockerignore
	Notes  []string // what was found and what is missing, for the user
}

// Suggest looks at a project and proposes how to build it: its web framework, the object that a server runs, its port and health check, the system libraries that
// its packages load. directory names the project where pyproject.toml does not. What is proposed is a start.
func Suggest(fsys fs.FS, directory string) Suggestion {
	p := readProject(fsys, profiles.NewSurvey(fsys, directory))
	s := findService(p)
	requirements, note := requirementsOf(p)
	notes := s.notes
	if note != "" {
		notes = append(notes, note)
	}
	return Suggestion{File: projectFile(p, s, requirements), Ignore: ignoreFile(p.venvs), Notes: notes}
}

// requirementsOf returns the key of python that says where the packages are named. The note is for a project that names none.
func requirementsOf(p *project) (key, note string) {
	switch {
	case p.exists("requirements.txt"):
		return "requirements: [requirements.txt]", ""
	case p.PyProject:
		return "project: .", ""
	}
	for _, name := range []string{"environment.yml", "environment.yaml"} {
		if p.exists(name) {
			return "requirements: []", name + " is conda's, which installs no packages here: name those of its list pip, and the others by their names on the index, in requirements.txt"
		}
	}
	return "requirements: []", "there is no requirements.txt: name the packages in python.packages or a file in python.requirements"
}

// projectFile writes mlbuild.yaml.
func projectFile(p *project, s service, requirements string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("version: 1")
	line("name: %s", yamlWord(p.Name))
	line("# image: registry.example.com/team/%s   # then: mlbuild --tag 1.2 --push", p.Name)
	copies := p.copy
	if s.installed { // the wheel has the code
		requirements += ", install: true"
		copies = slices.DeleteFunc(slices.Clone(copies), func(name string) bool { return slices.Contains(p.Copy, name) })
	}
	line("python: {version: %q, %s}", p.Python, requirements)
	if debs, because := systemPackages(p.has); len(debs) > 0 {
		line("system: {runtime: %s}   # for %s", yamlList(debs), because)
	}
	line("app:")
	line("  copy: %s", yamlList(copies))
	if len(s.command) > 0 {
		line("  command: %s", yamlList(s.command))
	} else {
		line("  # command: [python, -m, module]")
	}
	if s.port > 0 {
		line("  ports: [%d]", s.port)
	}
	if s.health != "" {
		line("  healthcheck: {http: %s, start_period: 30s}", s.health)
	}
	for i, kv := range s.env {
		if i == 0 {
			line("  env:")
		}
		line("    %s: %s", kv.Name, yamlWord(kv.Value))
	}
	for _, text := range smokeLines(p, s) {
		line("%s", text)
	}
	if compat.Known().Frameworks.Profiles(p.asks) {
		line("profiles:")
		line("  cpu: {}")
		line("  gpu: {accelerator: cuda}")
	}
	return b.String()
}

// systemPackages returns the Debian packages that a project's packages need, and for which of them.
func systemPackages(has map[string]bool) (debs []string, because string) {
	all := compat.Known().LibrariesOf()
	var who []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if has[name] {
			debs, who = append(debs, all[name]...), append(who, name)
		}
	}
	return recipe.SortedUnique(debs), strings.Join(who, ", ")
}
