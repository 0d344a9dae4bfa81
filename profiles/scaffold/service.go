package scaffold

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// service is what an image runs. The zero value runs nothing.
type service struct {
	command []string
	port    int    // 0 = none
	health  string // the path that answers while the service is well, "" = none is known
	env     []recipe.Pair
	// installed says that the command is a program of the project's own wheel.
	installed bool
	from      string   // where the command was read
	notes     []string // what was found
	lacks     []string // what is missing
}

// finders are the kinds of services, tried in this order. A finder returns a service without a command where the project is not of its kind.
var finders = []func(*project) service{streamlit, gradio, django, webApp, celery, console, script, module, onlyScript}

// findService finds what the image runs.
func findService(p *project) service {
	var s service
	for _, find := range finders {
		if s = find(p); len(s.command) > 0 {
			break
		}
	}
	if len(s.command) == 0 {
		s.lackf("no command was found: name one in app.command")
	}
	if s.port > 0 && s.health == "" {
		if s.health = healthPath(p.sources); s.health == "" {
			s.lackf("no health check was found: give the service a path like /health and name it in app.healthcheck")
		}
	}
	return s
}

func (s *service) lackf(format string, args ...any) {
	s.lacks = append(s.lacks, fmt.Sprintf(format, args...))
}

func streamlit(p *project) service {
	file := fileWith(p, "streamlit", lazyregexp.New(`(?m)^import streamlit\b`), "streamlit_app.py", "Home.py", "app.py", "main.py")
	if file == "" {
		return service{}
	}
	return service{
		command: []string{"streamlit", "run", file, "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"},
		port:    8501, health: "/_stcore/health", from: file, notes: []string{"found a Streamlit app in " + file},
	}
}

func gradio(p *project) service {
	file := fileWith(p, "gradio", lazyregexp.New(`\.launch\(`), "app.py", "main.py", "demo.py")
	if file == "" {
		return service{}
	}
	return service{
		command: []string{"python", file}, port: 7860, health: "/",
		env: []recipe.Pair{{Name: "GRADIO_SERVER_NAME", Value: "0.0.0.0"}}, from: file, notes: []string{"found a Gradio app in " + file},
	}
}

// fileWith finds the file that a framework runs, of the first of these names, else of any.
func fileWith(p *project, framework string, line *lazyregexp.Regexp, names ...string) string {
	if !p.has[framework] {
		return ""
	}
	found := map[string]bool{}
	for _, f := range p.sources {
		found[f.path] = line.MatchString(f.text)
	}
	for _, name := range slices.Concat(names, slices.Sorted(maps.Keys(found))) {
		if found[name] {
			return name
		}
	}
	return ""
}

var celeryObject = lazyregexp.New(`(?m)^\w+\s*=\s*(?:\w+\.)*Celery\(`)

func celery(p *project) service {
	i := slices.IndexFunc(p.sources, func(f pythonFile) bool { return celeryObject.MatchString(f.text) })
	if i < 0 || !p.has["celery"] {
		return service{}
	}
	module := p.sources[i].module
	return service{command: []string{"celery", "-A", module, "worker", "--loglevel", "info"}, from: p.sources[i].path, notes: []string{"found a Celery app: " + module}}
}

// script takes a script at the top by its name.
func script(p *project) service {
	for _, name := range []string{"main.py", "app.py", "train.py", "run.py", "server.py"} {
		if slices.Contains(p.copy, name) {
			return scriptService(name)
		}
	}
	return service{}
}

func scriptService(name string) service {
	return service{command: []string{"python", name}, from: name, notes: []string{"the image runs python " + name}}
}

// module runs the only package at the top that python -m can run.
func module(p *project) service {
	var found []pythonFile
	for _, f := range p.sources {
		if pkg, ok := strings.CutSuffix(f.module, ".__main__"); ok && !strings.Contains(pkg, ".") {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return service{}
	}
	name := strings.TrimSuffix(found[0].module, ".__main__")
	return service{command: []string{"python", "-m", name}, from: found[0].path, notes: []string{"the image runs python -m " + name}}
}

var isScript = lazyregexp.New(`(?m)^if __name__ == ["']__main__["']:`)

// onlyScript takes the only file at the top that is written to be run.
func onlyScript(p *project) service {
	var found []string
	for _, f := range p.sources {
		if !strings.Contains(f.path, "/") && isScript.MatchString(f.text) {
			found = append(found, f.path)
		}
	}
	if len(found) != 1 {
		return service{}
	}
	return scriptService(found[0])
}

var healthRoute = lazyregexp.New(`["'](/(?:api/)?(?:healthz|health|healthcheck|health/live|livez|live|ping))/?["']`)

// healthPath is the first path among the sources that is named as health checks are, "" if there is none.
func healthPath(sources []pythonFile) string {
	for _, f := range sources {
		if m := healthRoute.FindStringSubmatch(f.text); m != nil {
			return m[1]
		}
	}
	return ""
}

var postRoute = lazyregexp.New(`\.post\(\s*["'](/[A-Za-z0-9/_-]+)["']`)

// smokeLines are the lines of the section smoke, for a service with a health check: it is tried before it is published. What it has to answer beside that only the user knows; the first path
// among the sources that takes a POST is shown as an example.
func smokeLines(p *project, s service) []string {
	if s.health == "" {
		return nil
	}
	path := "/predict"
	for _, f := range p.sources {
		if m := postRoute.FindStringSubmatch(f.text); m != nil {
			path = m[1]
			break
		}
	}
	return []string{
		"smoke:   # before the image is published it runs, and has to answer", "  requests:", "    - " + s.health,
		"    # - {post: " + path + ", json: {text: hello}, expect: {label: positive}}",
	}
}

// console runs the only console script of a project: its program where the project is built as a wheel, else its function.
func console(p *project) service {
	s := service{from: "pyproject.toml [project.scripts]"}
	switch {
	case p.Script == "":
		return service{}
	case p.Builds && !p.exists("requirements.txt"):
		s.command, s.installed, s.notes = []string{p.Script}, true, []string{"found the console script " + p.Script + ": the project is installed"}
	default:
		s.command, s.notes = CallFunction(p.Function), []string{"the image runs the console script " + p.Script}
	}
	return s
}

var entryPoint = lazyregexp.New(`^([A-Za-z_][A-Za-z0-9_.]*)\s*:\s*([A-Za-z_][A-Za-z0-9_.]*)$`)

// CallFunction is the command that calls the function of a console script, "module:function", as the script would; nil if it is of another form.
func CallFunction(function string) []string {
	m := entryPoint.FindStringSubmatch(function)
	if m == nil {
		return nil
	}
	first, _, _ := strings.Cut(m[2], ".")
	return []string{"python", "-c", fmt.Sprintf("import sys; from %s import %s; sys.exit(%s())", m[1], first, m[2])}
}
