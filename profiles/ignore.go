package profiles

import (
	"bytes"
	"io/fs"
	"path"
	"slices"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// clutter is what no image needs. .dockerignore can take it back with !.
var clutter = []string{"**/__pycache__", "**/*.pyc", "**/.venv", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache"}

// secretFiles are files that usually hold secrets. Only app.copy takes one back, by naming it exactly.
var secretFiles = []string{
	"**/.git", "**/.env", "**/.env.*", "!**/.env.example", "**/*.pem", "**/id_rsa", "**/id_dsa", "**/id_ecdsa", "**/id_ed25519",
	"**/.netrc", "**/.pypirc", "**/.aws", "**/.docker", "**/.ssh", "**/.huggingface",
}

// ignores says which files are left out, and why.
type ignores struct {
	patterns   []string // all patterns in order, for Recipe.App.Ignore
	user       *patternmatcher.PatternMatcher
	secret     *patternmatcher.PatternMatcher
	exceptions bool     // some pattern begins with !, so a file below an ignored directory may be wanted
	secrets    []string // files that were left out as secrets
}

// readIgnores joins the clutter, .dockerignore and the secret files. Rules without wildcards take a secret back.
func (r *resolver) readIgnores(rules []copySpec) *ignores {
	user := slices.Clone(clutter)
	if data, err := fs.ReadFile(r.fsys, ".dockerignore"); err == nil {
		lines, err := ignorefile.ReadAll(bytes.NewReader(data))
		if err != nil {
			r.add(fault.New(fault.Context, ".dockerignore cannot be read: %w", err).In(fault.Position{File: ".dockerignore"}))
		}
		user = append(user, lines...)
	}
	secret := slices.Clone(secretFiles)
	for _, rule := range rules {
		if name := rule.from.value; !isGlob(name) && name != "." {
			if clean, ok := secretFile(name); ok {
				secret = append(secret, "!"+clean)
				r.notef("%s is copied because app.copy names it; everyone who has the image can read it", clean)
			}
		}
	}
	i := &ignores{patterns: slices.Concat(user, secret)}
	i.user, i.secret = r.matcher(user), r.matcher(secret)
	i.exceptions = i.user.Exclusions() || len(secret) > len(secretFiles)
	return i
}

// secretFile tells whether a path is one of secretFiles or below one, and gives it clean.
func secretFile(name string) (clean string, is bool) {
	clean = path.Clean(name)
	matches, err := patternmatcher.MatchesOrParentMatches(clean, secretFiles)
	return clean, err == nil && matches
}

func (r *resolver) matcher(patterns []string) *patternmatcher.PatternMatcher {
	m, err := patternmatcher.New(patterns)
	if err != nil {
		r.add(fault.New(fault.Context, ".dockerignore holds a pattern that is not valid: %w", err).
			In(fault.Position{File: ".dockerignore"}))
		m, _ = patternmatcher.New(nil)
	}
	return m
}

// byUser tells whether .dockerignore or the clutter list leaves a path out.
func (i *ignores) byUser(name string) bool {
	if name == "." {
		return false
	}
	matches, err := i.user.MatchesOrParentMatches(name)
	return err == nil && matches
}

// drops tells whether a path is left out, and remembers secret files.
func (i *ignores) drops(name string) bool {
	if i.byUser(name) {
		return true
	}
	matches, err := i.secret.MatchesOrParentMatches(name)
	if err != nil || !matches {
		return false
	}
	if under(name, i.secrets) == "" {
		i.secrets = append(i.secrets, name)
	}
	return true
}
