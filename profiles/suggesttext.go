package profiles

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// render writes the project file.
func (s *suggester) render() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("version: 1")
	line("name: %s", yamlWord(s.name))
	line("# image: registry.example.com/team/%s   # then: mlbuild --tag 1.2 --push", s.name)
	line("python: %s", s.requirementsText())
	if debs, because := s.system(); len(debs) > 0 {
		line("system: {runtime: %s}   # for %s", yamlList(debs), because)
	}
	line("app:")
	line("  copy: %s", yamlList(s.copy))
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
		line("    %s: %s", kv[0], yamlWord(kv[1]))
	}
	if compat.Known().Frameworks.Profiles(func(name string) bool { return s.has[name] }) {
		line("profiles:")
		line("  cpu: {}")
		line("  gpu: {accelerator: cuda}")
	}
	return b.String()
}

var plainWord = lazyregexp.New(`^[A-Za-z_./-][A-Za-z0-9_./=-]*$`)

// yamlWord quotes a text where YAML would read something else.
func yamlWord(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "-", ".", "..":
		return strconv.Quote(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

func yamlList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = yamlWord(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// ignoreText writes the .dockerignore.
func (s *suggester) ignoreText() string {
	text := `# What no image and no build needs. Only what app.copy names is sent; this is for what lies inside of it.
.git
.github
.gitlab*
.idea
.vscode
**/__pycache__
**/*.py[cod]
**/.venv
**/venv
**/.tox
**/.nox
**/.mypy_cache
**/.pytest_cache
**/.ruff_cache
**/.ipynb_checkpoints
**/.coverage
**/htmlcov
**/*.egg-info
**/node_modules
Dockerfile*
compose*.y*ml
docker-compose*.y*ml
pylock.*.toml

# Results and caches of experiments
**/wandb
**/mlruns
**/lightning_logs
**/.dvc/cache

# Secrets: mlbuild refuses to copy them; here they are left out silently
**/.env
**/.env.*
!**/.env.example
**/*.pem
**/*.key
**/id_rsa*
**/id_ed25519*
**/.netrc
**/.pypirc
**/.aws
**/.kube
**/credentials.json
`
	for i, v := range s.venvs {
		if i == 0 {
			text += "\n# Virtual environments\n"
		}
		text += v + "\n"
	}
	return text
}
