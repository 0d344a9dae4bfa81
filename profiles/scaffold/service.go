package scaffold

import (
	"fmt"
	"maps"
	"slices"

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
	notes     []string // what was found and what is missing
}

// finders are the kinds of services, tried in this order. A finder returns a service without a command where the project is not of its kind.
var finders = []func(*project) service{streamlit, gradio, django, webApp, celery, script, console}

// findService finds what the image runs.
func findService(p *project) service {
	var s service
	for _, find := range finders {
		if s = find(p); len(s.command) > 0 {
			break
		}
	}
	if len(s.command) == 0 {
		s.notef("no command was found: name one in app.command")
	}
	if s.port > 0 && s.health == "" {
		if s.health = healthPath(p.sources); s.health == "" {
			s.notef("no health check was found: give the service a path like /health and name it in app.healthcheck")
		}
	}
	return s
}

func (s *service) notef(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func streamlit(p *project) service {
	file := fileWith(p, "streamlit", lazyregexp.New(`(?m)^import streamlit\b`), "streamlit_app.py", "Home.py", "app.py", "main.py")
	if file == "" {
		return service{}
	}
	return service{
		command: []string{"streamlit", "run", file, "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"},
		port:    8501, health: "/_stcore/health", notes: []string{"found a Streamlit app in " + file},
	}
}

func gradio(p *project) service {
	file := fileWith(p, "gradio", lazyregexp.New(`\.launch\(`), "app.py", "main.py", "demo.py")
	if file == "" {
		return service{}
	}
	return service{
		command: []string{"python", file}, port: 7860, health: "/",
		env: []recipe.Pair{{Name: "GRADIO_SERVER_NAME", Value: "0.0.0.0"}}, notes: []string{"found a Gradio app in " + file},
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
	return service{command: []string{"celery", "-A", module, "worker", "--loglevel", "info"}, notes: []string{"found a Celery app: " + module}}
}

// script takes a script at the top, as a build without a file does.
func script(p *project) service {
	for _, name := range []string{"main.py", "app.py", "train.py", "run.py", "server.py"} {
		if slices.Contains(p.copy, name) {
			return service{command: []string{"python", name}, notes: []string{"the image runs python " + name}}
		}
	}
	return service{}
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

// console runs the only console script of a project that is built as a wheel.
func console(p *project) service {
	if p.Script == "" || p.exists("requirements.txt") {
		return service{}
	}
	return service{command: []string{p.Script}, installed: true, notes: []string{"found the console script " + p.Script + ": the project is installed"}}
}
