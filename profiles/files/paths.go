package files

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// exact finds a path without wildcards. A symlink stands for what it points to.
func (c *copier) exact(name string, at fault.Position) []string {
	resolved, ok := c.Follow(name, at)
	if !ok {
		return nil
	}
	info, err := fs.Lstat(c.FS, resolved)
	if errors.Is(err, fs.ErrNotExist) {
		c.Add(c.Missing(name, at, "file"))
		return nil
	}
	if err != nil {
		c.Add(fault.New(fault.Context, "%s cannot be read: %w", name, err).In(at))
		return nil
	}
	if c.ignore.ByUser(resolved) && !(info.IsDir() && c.ignore.exceptions && c.anyLeft(resolved)) {
		c.Add(fault.New(fault.Context, "%s exists, but .dockerignore leaves it out", name).In(at).
			Hint("add !%s to .dockerignore, or remove it from app.copy", name))
		return nil
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		c.Add(Irregular(name, info.Mode()).In(at))
		return nil
	}
	if resolved != name && c.ignore.IsSecret(resolved) {
		c.ignore.secrets = append(c.ignore.secrets, resolved) // a link is no exact path of what it points to
		return nil
	}
	return []string{resolved}
}

// glob finds what a pattern matches, sorted. A matching directory stands for its tree.
func (c *copier) glob(pattern string, at fault.Position) []string {
	expression, err := recipe.GlobRegexp(pattern)
	if err != nil {
		c.Specf(at, "%q is not a valid pattern: %s", pattern, err)
		return nil
	}
	var found, ignored []string
	looked, refused := 0, false
	start := staticPrefix(pattern)
	err = fs.WalkDir(c.FS, start, func(name string, d fs.DirEntry, err error) error {
		if err != nil && name != start {
			refused = c.unlisted(pattern, name, err, at) || refused
			return Skip(d)
		}
		if err != nil || name == start {
			return err
		}
		looked++
		matches := expression.MatchString(name)
		switch {
		case c.ignore.ByUser(name) && !(d.IsDir() && c.ignore.exceptions && c.anyLeft(name)):
			if matches {
				ignored = append(ignored, name)
			}
			return Skip(d)
		case matches && c.ignore.IsSecret(name):
			c.ignore.secrets = append(c.ignore.secrets, name)
			return Skip(d)
		case !matches:
			return nil
		}
		if _, ok := c.Follow(name, at); ok {
			found = append(found, name)
		}
		return Skip(d)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.unreadable(start, err, at)
		return nil
	}
	if err != nil {
		c.Add(c.Missing(start, at, "directory").Hint("the pattern %s looks there", pattern))
		return nil
	}
	if len(found) == 0 && len(c.ignore.secrets) == 0 && !refused {
		c.emptyGlob(pattern, start, looked, ignored, at)
	}
	slices.Sort(found)
	return found
}

// unlisted is for a directory that cannot be read, as one of another user's: a fault where the pattern may match something in it. It
// reports whether that is so.
func (c *copier) unlisted(pattern, dir string, err error, at fault.Position) bool {
	deeper := strings.Contains(pattern, "**") || strings.Count(pattern, "/") > strings.Count(dir, "/")
	if !deeper || c.ignore.ByUser(dir) {
		return false
	}
	c.unreadable(dir, err, at)
	return true
}

func (c *copier) emptyGlob(pattern, start string, looked int, ignored []string, at fault.Position) {
	f := fault.New(fault.Context, "nothing matches %q among the %d files and directories below %s", pattern, looked, start).In(at)
	if len(ignored) > 0 {
		f.Hint(".dockerignore leaves out what would match: %s", strings.Join(ignored[:min(3, len(ignored))], ", "))
	}
	c.Add(f)
}

// staticPrefix is the directory of a pattern above its first wildcard.
func staticPrefix(pattern string) string {
	parts := strings.Split(pattern, "/")
	i := slices.IndexFunc(parts, recipe.IsGlob)
	return path.Join(append([]string{"."}, parts[:i]...)...)
}
