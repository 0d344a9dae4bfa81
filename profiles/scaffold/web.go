package scaffold

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

func django(p *project) service {
	i := slices.IndexFunc(p.sources, func(f pythonFile) bool {
		return path.Base(f.path) == "wsgi.py" && strings.Contains(f.text, "get_wsgi_application")
	})
	if i < 0 || !p.has["django"] {
		return service{}
	}
	s := wsgi(p, "Django project", p.sources[i].module+":application")
	s.from = p.sources[i].path
	return s
}

var (
	webObject  = lazyregexp.New(`(?m)^([ \t]*)([A-Za-z_]\w*)[ \t]*(?::[ \t]*[\w.]+[ \t]*)?=[ \t]*(?:\w+\.)*(FastAPI|Starlette|Litestar|Quart|Flask)\(`)
	webCall    = lazyregexp.New(`=[ \t]*(?:\w+\.)*(FastAPI|Starlette|Litestar|Quart|Flask)\(|return[ \t]+(?:\w+\.)*(FastAPI|Starlette|Litestar|Quart|Flask)\(`)
	topLevel   = lazyregexp.New(`(?m)^[^\s#)]`) // the first line behind a function's body
	branch     = lazyregexp.New(`^[ \t]*(?:if|elif|else|try|except|finally|with|match|case)\b.*:`)
	webMade    = lazyregexp.New(`(?m)^([A-Za-z_]\w*)[ \t]*(?::[ \t]*[\w.]+[ \t]*)?=[ \t]*([A-Za-z_]\w*)\(`)
	webFactory = lazyregexp.New(`(?m)^(?:async )?def (create_app|make_app)\(`)
)

// webApp finds the object that a web server runs. One in a file that is named main or app is taken before others.
func webApp(p *project) service {
	var found []pythonFile
	for _, f := range p.sources {
		if name, _ := webVariable(f.text); name != "" || webFactory.MatchString(f.text) && webFramework(p, f) != "" {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return service{}
	}
	slices.SortStableFunc(found, func(a, b pythonFile) int { return mainRank(a.path) - mainRank(b.path) })
	s := serverOf(p, found[0])
	s.from = found[0].path
	if len(found) > 1 {
		s.notes = slices.Insert(s.notes, 0, "several files make a web app; "+found[0].path+" is taken")
	}
	return s
}

// serverOf is the service that runs the app of one file: an object, or what a factory returns.
func serverOf(p *project, f pythonFile) service {
	framework, target, factory := webFramework(p, f), f.module+":create_app", true
	if name, of := webVariable(f.text); name != "" {
		framework, target, factory = of, f.module+":"+name, false
	} else if m := webFactory.FindStringSubmatch(f.text); m != nil {
		target = f.module + ":" + m[1]
	}
	if framework != "Flask" {
		return asgi(p, framework+" app", target, factory)
	}
	if factory {
		target += "()"
	}
	return wsgi(p, framework+" app", target)
}

// webVariable returns the variable of a module that is a web app, and its framework; "" if there is none. One that a branch sets (if, else, try) is one of the module, too.
func webVariable(text string) (name, framework string) {
	for _, m := range webObject.FindAllStringSubmatchIndex(text, -1) {
		if indent := text[m[2]:m[3]]; ofModule(text[:m[0]], len(indent)) {
			return text[m[4]:m[5]], text[m[6]:m[7]]
		}
	}
	return madeVariable(text)
}

// madeVariable returns the variable of a module that one of its own functions makes, as app = get_app(), where that function calls a framework; "" if there is none.
func madeVariable(text string) (name, framework string) {
	for _, m := range webMade.FindAllStringSubmatch(text, -1) {
		_, body, found := strings.Cut(text, "\ndef "+m[2]+"(")
		if !found {
			continue
		}
		if end := topLevel.FindStringSubmatchIndex(body); end != nil {
			body = body[:end[0]]
		}
		if made := webCall.FindStringSubmatch(body); made != nil {
			return m[1], made[1] + made[2]
		}
	}
	return "", ""
}

// ofModule reports whether a line behind these, with an indent, is run when the module is: nothing but branches is around it.
func ofModule(before string, indent int) bool {
	lines := strings.Split(strings.TrimSuffix(before, "\n"), "\n")
	for _, line := range slices.Backward(lines) {
		if indent == 0 {
			return true
		}
		code := strings.TrimLeft(line, " \t")
		if width := len(line) - len(code); code != "" && code[0] != '#' && width < indent {
			if !branch.MatchString(line) {
				return false
			}
			indent = width
		}
	}
	return indent == 0
}

// webFramework names the framework that a file imports, "" if none is seen.
func webFramework(p *project, f pythonFile) string {
	for _, name := range []string{"FastAPI", "Starlette", "Litestar", "Quart", "Flask"} {
		if p.has[strings.ToLower(name)] && strings.Contains(f.text, name) {
			return name
		}
	}
	return ""
}

func mainRank(name string) int {
	if i := slices.Index([]string{"main.py", "app.py", "api.py", "server.py", "__init__.py"}, path.Base(name)); i >= 0 {
		return i
	}
	return 9
}

// wsgi runs a WSGI app (PEP 3333) with the server that the project asks for.
func wsgi(p *project, what, target string) service {
	s := service{port: 8000, notes: []string{"found a " + what + ": " + target}}
	if p.has["waitress"] && !p.has["gunicorn"] {
		s.command = []string{"waitress-serve", "--listen=0.0.0.0:8000", target}
		return s
	}
	s.command = []string{"gunicorn", target, "--bind", "0.0.0.0:8000", "--graceful-timeout", "20"}
	s.needs(p, "gunicorn")
	return s
}

// asgi runs an ASGI app with the server that the project asks for.
func asgi(p *project, what, target string, factory bool) service {
	s := service{port: 8000, notes: []string{"found a " + what + ": " + target}}
	if p.has["hypercorn"] && !p.has["uvicorn"] && !factory {
		s.command = []string{"hypercorn", target, "--bind", "0.0.0.0:8000"}
		return s
	}
	s.command = []string{"uvicorn", target, "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}
	if factory {
		s.command = slices.Insert(s.command, 1, "--factory")
	}
	brought := func(q pypi.Requirement) bool {
		return q.Name == "fastapi" && (strings.Contains(q.ExtrasText(), "standard") || strings.Contains(q.ExtrasText(), "all"))
	}
	if !slices.ContainsFunc(p.Requirements, brought) {
		s.needs(p, "uvicorn")
	}
	return s
}

// needs notes that the command runs a program of a package that the project does not ask for.
func (s *service) needs(p *project, name string) {
	if !p.has[name] {
		s.lackf("add %s to the requirements: the command runs it", name)
	}
}
