package scaffold

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/schema"
)

// Suggestion is a project file and a .dockerignore for a project that has none. A build without a project file is a build with these.
type Suggestion struct {
	File   string   // text of mlbuild.yaml
	Ignore string   // text of .dockerignore
	Notes  []string // what was found and what is missing, for the user

	Copy      []string // what the image gets of the project, sorted
	Command   []string // what it runs, nil = nothing was found
	From      string   // where Command was read: a file, or a table of one
	TrainFrom string   // the script that the profile train runs on every GPU, "" = it runs Command
	Found     []string // what Command runs, as parts of Notes
	Lacks     []string // what is missing, as parts of Notes
	System    []string // Debian packages that the project's packages need
	For       string   // these packages
	Origin    string   // the Dockerfile that File was made from, "" = none
}

// Suggest looks at a project and proposes how to build it: its web framework, the object that a server runs, its port and health check, the system libraries that
// its packages load. What is proposed is a start.
func Suggest(fsys fs.FS, survey Survey) Suggestion {
	p := readProject(fsys, survey)
	s := findService(p)
	requirements, note := requirementsOf(p)
	if note != "" {
		s.lacks = append(s.lacks, note)
	}
	found := Suggestion{
		Ignore: IgnoreFile(fsys), Notes: slices.Concat(s.notes, s.lacks), Copy: p.copy, Command: s.command, From: s.from, Found: s.notes, Lacks: s.lacks,
	}
	if s.installed { // the wheel has the code
		requirements = strings.TrimPrefix(strings.TrimSuffix(requirements, "install: true")+", install: true", ", ")
		found.Copy = slices.DeleteFunc(slices.Clone(p.copy), func(name string) bool { return slices.Contains(p.Copy, name) })
	}
	found.System, found.For = systemPackages(p.has)
	train := trainCommand(p, s, found.Copy)
	if train != nil {
		found.TrainFrom = train[len(train)-1]
	}
	found.File = projectFile(p, s, found, requirements, train)
	return found
}

// requirementsOf returns the key of python that says where the packages are named. The note is for a project that names none.
func requirementsOf(p *project) (key, note string) {
	switch {
	case p.exists("requirements.txt"):
		return "requirements: [requirements.txt]", ""
	case p.PyProject:
		return "project: .", ""
	case p.Conda != nil:
		return "packages: " + List(p.Conda), p.Input + " is conda's, whose packages have other names, versions and builds: look at each of python.packages; programs and libraries (ffmpeg, graphviz) are Debian's, in system.runtime"
	case p.Input != "":
		return "requirements: [" + p.Input + "]", ""
	case p.Setup:
		return "install: true", ""
	}
	return "requirements: []", "there is no requirements.txt: name the packages in python.packages or a file in python.requirements"
}

// trainCommand is the command by which the profile train runs a script on every GPU of the machine, nil if the project has no such script or its packages know no such command.
func trainCommand(p *project, s service, copied []string) []string {
	launch := compat.Known().Frameworks.Training(p.asks).Launch
	for _, name := range []string{"train.py", "main.py"} {
		if launch != nil && slices.Contains(copied, name) && (name == "train.py" || s.port == 0) && len(s.command) > 0 {
			return append(slices.Clone(launch), name)
		}
	}
	return nil
}

// projectFile writes mlbuild.yaml.
func projectFile(p *project, s service, found Suggestion, requirements string, train []string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(schema.Modeline)
	line("version: 1")
	line("name: %s", Word(p.Name))
	line("# image: registry.example.com/team/%s   # then: mlbuild --tag 1.2 --push", p.Name)
	line("python: {version: %q, %s}", p.Python, requirements)
	if len(found.System) > 0 {
		line("system: {runtime: %s}   # for %s", List(found.System), found.For)
	}
	line("app:")
	line("  copy: %s", List(found.Copy))
	if len(s.command) > 0 {
		line("  command: %s", List(s.command))
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
		line("    %s: %s", kv.Name, Word(kv.Value))
	}
	for _, text := range slices.Concat(smokeLines(p, s), profileLines(p, s, train)) {
		line("%s", text)
	}
	return b.String()
}

// profileLines are the lines of the section profiles, for a project whose framework has other packages for CUDA. The profile train runs its own command, and no service.
func profileLines(p *project, s service, train []string) []string {
	if !compat.Known().Frameworks.Profiles(p.asks) {
		return nil
	}
	lines := []string{"profiles:", "  cpu: {}", "  gpu: {accelerator: cuda}"}
	switch {
	case train == nil:
		return lines
	case s.port == 0:
		return append(lines, "  train: {app: {command: "+List(train)+"}}")
	}
	return append(lines, "  train:", "    app: {command: "+List(train)+", ports: [], healthcheck: null}", "    smoke: false")
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
