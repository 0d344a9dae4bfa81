package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var mode = lazyregexp.New(`^0?[0-7]{3}$`)

// isPort is a port as app.ports has it, or a build argument in its place.
var isPort = lazyregexp.New(`^([0-9]+|\$\{[A-Za-z_][A-Za-z0-9_]*\})(/(tcp|udp|sctp))?$`)

// readConfig takes what a step says of the image's configuration.
func readConfig(s said, step dockerfile.Step) said {
	switch step.Kind {
	case dockerfile.Cmd:
		s.command = withoutEnvironment(step.Words)
	case dockerfile.Entrypoint:
		s.entry, s.init = withoutInit(step.Words)
		s.entry = withoutEnvironment(s.entry)
	case dockerfile.Expose:
		for _, port := range step.List {
			if port = strings.TrimSuffix(port, "/tcp"); !isPort.MatchString(port) {
				s = leave(s, step.Line, step.Text, "app.ports names ports by their numbers")
				continue
			}
			s.ports = appendNew(s.ports, port)
		}
	case dockerfile.Volume:
		s.volumes = appendNew(s.volumes, step.List...)
	case dockerfile.Healthcheck:
		s.health = step.Health
	case dockerfile.User:
		s.user = step.Value
	case dockerfile.StopSignal:
		s.signal = step.Value
	case dockerfile.Label:
		s.labels = append(slices.Clone(s.labels), step.Pairs...)
	case dockerfile.OnBuild, dockerfile.Shell:
		s = leave(s, step.Line, step.Text, "")
	}
	return s
}

// withoutInit takes an init from the front of an entrypoint: mlbuild has one, app.init.
func withoutInit(words []string) (rest []string, is bool) {
	if len(words) == 0 || !slices.Contains([]string{"tini", "dumb-init", "catatonit"}, path.Base(words[0])) {
		return words, false
	}
	rest = words[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		rest = rest[1:]
	}
	return rest, true
}

// withoutEnvironment takes what finds the environment away from the front of a command: the image's PATH has it.
func withoutEnvironment(words []string) []string {
	if len(words) > 2 && slices.Contains([]string{"uv", "poetry", "pipenv"}, words[0]) && words[1] == "run" {
		words = words[2:]
		for len(words) > 1 && strings.HasPrefix(words[0], "-") {
			words = words[1:]
		}
	}
	if len(words) > 0 && (strings.Contains(words[0], "venv/bin/") || strings.HasPrefix(words[0], "/usr/local/bin/") || strings.Contains(words[0], "/.local/bin/")) {
		words = slices.Clone(words)
		words[0] = path.Base(words[0])
	}
	return words
}

// ofBuild are variables that only say how a Dockerfile builds, or that the image has anyway.
var ofBuild = lazyregexp.New(`^(PATH|VIRTUAL_ENV|PIP_.*|UV_.*|POETRY_.*|PIPENV_.*|DEBIAN_FRONTEND|PYTHONUNBUFFERED|NVIDIA_VISIBLE_DEVICES|NVIDIA_DRIVER_CAPABILITIES|NVIDIA_REQUIRE_CUDA|CUDA_HOME|CUDA_VERSION|TORCH_CUDA_ARCH_LIST|FORCE_CUDA|MAX_JOBS|PYTHON_VERSION|HOME|USER|SHELL)$`)

// settled is what was said with what follows from all of it.
func settled(s said, q Question) said {
	env := map[string]string{}
	var names []string
	for _, p := range s.env {
		if ofBuild.MatchString(p.Name) {
			continue
		}
		if isSecret(p.Name, p.Value) {
			s = leave(s, lineOf(q.File, dockerfile.Env, p.Name), "ENV "+p.Name+"=…", "a secret in an image is everybody's: give it to the container when it starts")
			continue
		}
		if p.Name == "PYTHONPATH" && slices.Contains([]string{s.workdir, path.Join(s.workdir, "src"), "."}, strings.Trim(strings.ReplaceAll(p.Value, "$PYTHONPATH", ""), ":")) && !strings.HasSuffix(p.Value, "src") {
			continue // the working directory is where a script or module is looked for
		}
		names, env[p.Name] = appendNew(names, p.Name), p.Value
	}
	s.env = nil
	for _, name := range names {
		s.env = append(s.env, dockerfile.Pair{Name: name, Value: env[name], Given: true})
	}
	if s.init {
		s.runtime = without(s.runtime, "tini", "dumb-init")
	}
	if s.health != nil && usesCurl(s.health.Words) && healthPath(s.health) != "" {
		s.runtime = without(s.runtime, "curl", "wget")
	}
	s.copied = slices.DeleteFunc(slices.Clone(s.copied), func(r rule) bool { return slices.Contains(s.fed, r.from) || isInput(r.from) })
	if s.copied != nil && s.python.install {
		s.copied = slices.DeleteFunc(s.copied, func(r rule) bool { return r.from == "setup.py" || r.from == "setup.cfg" })
	}
	s.dirs = slices.DeleteFunc(slices.Clone(s.dirs), func(dir string) bool { return !writable(dir, s.workdir) })
	return s
}

// isInput reports whether a file of the project says what is installed, and is nothing that the image reads.
func isInput(name string) bool {
	base := strings.TrimSuffix(path.Base(name), "*")
	return slices.Contains([]string{"pyproject.toml", "uv.lock", "poetry.lock", "Pipfile", "Pipfile.lock", "requirements.txt", "poetry.toml", "environment.yml"}, base) || strings.HasPrefix(base, "requirements") && strings.HasSuffix(base, ".txt") || isPattern(base) && strings.HasPrefix(base, "requirements")
}

// writable reports whether a directory is one that the image has for its user.
func writable(dir, workdir string) bool {
	if dir == workdir || dir == "/" || strings.HasPrefix(workdir, dir+"/") || strings.HasPrefix(dir, "/root") || strings.HasPrefix(dir, "/home/") && strings.Count(dir, "/") == 2 || strings.HasPrefix(dir, "/tmp") {
		return false
	}
	for _, system := range []string{"/usr", "/etc", "/bin", "/lib", "/sbin", "/dev", "/proc", "/sys", "/var/lib/apt", "/var/cache/apt", "/opt/venv", "/venv"} {
		if dir == system || strings.HasPrefix(dir, system+"/") {
			return false
		}
	}
	return true
}

func without(list []string, words ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(w string) bool { return slices.Contains(words, w) })
}

// lineOf is the line of the step of a kind that names a variable, 0 if there is none.
func lineOf(f *dockerfile.File, kind dockerfile.Kind, name string) int {
	for _, stage := range f.Stages {
		for _, step := range stage.Steps {
			if step.Kind == kind && slices.ContainsFunc(step.Pairs, func(p dockerfile.Pair) bool { return p.Name == name }) {
				return step.Line
			}
		}
	}
	return 0
}

var healthURL = lazyregexp.New(`https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::([0-9]+|\$\{?[A-Za-z_]+\}?))?(/[A-Za-z0-9._~/?&=%+-]*)?`)

// healthPath is the path that a health check asks for, "" where it does something else.
func healthPath(h *dockerfile.Health) string {
	m := healthURL.FindStringSubmatch(strings.Join(h.Words, " "))
	if m == nil {
		return ""
	}
	if m[2] == "" {
		return "/"
	}
	return strings.TrimRight(m[2], `'"`)
}

// healthPort is the port that a health check asks, "" = none is said.
func healthPort(h *dockerfile.Health) string {
	m := healthURL.FindStringSubmatch(strings.Join(h.Words, " "))
	if m == nil || strings.Contains(m[1], "$") {
		return ""
	}
	return m[1]
}

func usesCurl(words []string) bool { return mentions(words, "curl") || mentions(words, "wget") }
