package imports

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// entry is the module with which a command starts.
type entry struct {
	script string // its path as the command names it, "" = none
	module string // "app.main", "" = none
	dir    string // where the command looks for it, "" = the working directory
	run    bool   // the module is run by -m: of a package its __main__
}

// attribute is what servers are given: a module and what it has, "app.main:app" or "app.main:create_app()".
var attribute = lazyregexp.New(`^([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*):[A-Za-z_][A-Za-z0-9_.]*(?:\(.*\))?$`)

// python is the interpreter, by itself.
var python = lazyregexp.New(`^python[0-9.]*$`)

// entryOf reads off a command with which module of the project it starts: a script, a module by -m, or what a server serves. isFile reports whether a path of the command is
// a file of the project. Nothing is said of other commands, nor of an interpreter that is told to look elsewhere for modules.
func entryOf(words []string, isFile func(string) bool) (e entry, ok bool) {
	interpreter := false
	for i := 0; i < len(words); i++ {
		w, next := words[i], ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		name := path.Base(w)
		switch {
		case python.MatchString(name):
			interpreter = true
		case interpreter && slices.Contains([]string{"-c", "-I", "-P", "-"}, w):
			return entry{}, false
		case interpreter && slices.Contains([]string{"-W", "-X", "--check-hash-based-pycs"}, w):
			i++
		case interpreter && w == "-m" && next != "":
			if !servers[next] {
				return entry{module: next, run: true}, true
			}
			interpreter = false
			i++
		case slices.Contains([]string{"--app-dir", "--chdir", "--workdir"}, w) && next != "":
			e.dir = next
			i++
		case isServed(w, next):
			e.module = strings.TrimSuffix(next, ".py")
			return e, true
		case attribute.MatchString(w):
			e.module = attribute.FindStringSubmatch(w)[1]
			return e, true
		case strings.HasSuffix(name, ".py") && isFile(w):
			e.script = w
			return e, true
		case interpreter && !strings.HasPrefix(w, "-"):
			return entry{}, false // a directory, an archive
		}
	}
	return entry{}, false
}

// servers are modules that run another one, which comes among their arguments.
var servers = map[string]bool{
	"uvicorn": true, "gunicorn": true, "hypercorn": true, "granian": true, "daphne": true, "flask": true, "fastapi": true, "streamlit": true, "celery": true, "chainlit": true, "gradio": true,
	"torch.distributed.run": true, "torch.distributed.launch": true, "accelerate.commands.launch": true, "deepspeed.launcher.runner": true, "debugpy": true, "coverage": true,
}

// isServed reports whether a word is the option by which Flask and Celery are told their module.
func isServed(word, next string) bool {
	return (word == "--app" || word == "-A") && next != "" && !strings.Contains(next, ":") && !strings.Contains(next, "/") && isDotted(strings.TrimSuffix(next, ".py"))
}
