package inventory

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// The reasons that are no line of a file.
const (
	notNamed = "not named by app.copy"
	excluded = "left out by exclude of app.copy, or by default"
)

// usual is what no image is expected to have, as patterns of its name.
var usual = []string{
	".git", ".hg", ".svn", ".gitignore", ".gitattributes", ".gitmodules", ".github", ".gitlab-ci.yml", ".dockerignore", ".editorconfig", ".DS_Store", ".idea", ".vscode",
	".venv", "venv", "__pycache__", "*.pyc", "*.egg-info", ".eggs", ".tox", ".nox", ".*_cache", ".cache", ".ipynb_checkpoints", ".coverage", ".python-version", ".pre-commit-config.yaml", "node_modules",
	"mlbuild.yaml", "mlbuild.lock", "pylock.toml", "pylock.*.toml", "requirements*.txt", "requirements*.in", "pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock",
	"environment.yml", "setup.py", "setup.cfg", "tox.ini", "Dockerfile", "Dockerfile.*", "Makefile", "README*", "LICENSE*",
}

// isUsual reports whether what stays behind is something that no image is expected to have.
func isUsual(fsys fs.FS, name string, dir bool) bool {
	base := path.Base(name)
	if slices.ContainsFunc(usual, func(p string) bool { ok, _ := path.Match(p, base); return ok }) {
		return true
	}
	if !dir {
		return false
	}
	_, err := fs.Stat(fsys, path.Join(name, "pyvenv.cfg"))
	return err == nil
}

// reasons are the lines of .dockerignore.
type reasons []line

type line struct {
	number  int
	pattern string
}

// readReasons reads the lines of .dockerignore. None that cannot be read is a reason: who copies says so.
func readReasons(fsys fs.FS) reasons {
	data, err := fs.ReadFile(fsys, ".dockerignore")
	if err != nil {
		return nil
	}
	var all reasons
	n := 0
	for text := range strings.Lines(string(data)) {
		n++
		patterns, err := ignorefile.ReadAll(strings.NewReader(text))
		for _, p := range patterns {
			if err == nil {
				all = append(all, line{n, p})
			}
		}
	}
	return all
}

// of returns the line that leaves out a path, the last one that says something of it, or another reason where none does.
func (r reasons) of(name, other string) string {
	for _, l := range slices.Backward(r) {
		pattern, takes := strings.CutPrefix(l.pattern, "!")
		if ok, err := patternmatcher.MatchesOrParentMatches(name, []string{pattern}); err != nil || !ok {
			continue
		}
		if takes {
			return other
		}
		return fmt.Sprintf(".dockerignore line %d", l.number)
	}
	return other
}
