package profiles

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

var windowsPath = lazyregexp.New(`^[A-Za-z]:[\\/]`)

// inside cleans a path of the project, and refuses one that leads out of it.
func (r *resolver) inside(name string, at fault.Position, what string) (clean string, ok bool) {
	hint := "Paths are relative to the project's directory and stay inside it."
	switch {
	case name == "":
		r.Specf(at, "the path of the %s is empty", what)
		return "", false
	case strings.Contains(name, "://"):
		r.Add(fault.New(fault.Context, "the %s %q is a URL; only files of the project can be used here", what, name).In(at))
		return "", false
	case path.IsAbs(name) || windowsPath.MatchString(name):
		r.Add(fault.New(fault.Context, "the %s %q is outside the project: the path is absolute", what, name).In(at).Hint("%s", hint))
		return "", false
	}
	clean = path.Clean(name)
	if !fs.ValidPath(clean) {
		r.Add(fault.New(fault.Context, "the %s %q is outside the project", what, name).In(at).Hint("%s", hint))
		return "", false
	}
	return clean, true
}

// missing is the fault of a path that does not exist. It names a neighbour with a like name.
func (r *resolver) missing(name string, at fault.Position, what string) *fault.Fault {
	f := fault.New(fault.Context, "the %s %s does not exist", what, name).In(at)
	dir := path.Dir(name)
	entries, err := fs.ReadDir(r.fsys, dir)
	if err != nil {
		return f.Hint("There is no directory %s either.", dir)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := yamldoc.Nearest(path.Base(name), names); near != "" {
		f.Hint("Did you mean %q?", path.Join(dir, near))
	}
	return f
}

// follow resolves the symlinks in a path. One that leads out of the project, or round in a circle, is a fault
// that shows the chain.
func (r *resolver) follow(name string, at fault.Position) (resolved string, ok bool) {
	chain := []string{name}
	for {
		link, rest := r.firstLink(name)
		if link == "" {
			return name, true
		}
		to, err := fs.ReadLink(r.fsys, link)
		if err != nil {
			r.Add(fault.New(fault.Context, "the symlink %s cannot be read: %w", link, err).In(at))
			return "", false
		}
		next := path.Join(path.Dir(link), to, rest)
		if path.IsAbs(to) {
			next = path.Join(to, rest)
		}
		circle := slices.Contains(chain, next) || len(chain) > 40
		chain = append(chain, next)
		if !fs.ValidPath(next) {
			r.Add(fault.New(fault.Context, "a symlink leads out of the project: %s", strings.Join(chain, " → ")).In(at).
				Hint("Copy the file into the project, or list the link in .dockerignore."))
			return "", false
		}
		if circle {
			r.Add(fault.New(fault.Context, "symlinks lead round in a circle: %s", strings.Join(chain, " → ")).In(at))
			return "", false
		}
		name = next
	}
}

// firstLink splits a path at its first component that is a symlink; link is "" if there is none.
func (r *resolver) firstLink(name string) (link, rest string) {
	parts := strings.Split(name, "/")
	for i := range parts {
		prefix := path.Join(parts[:i+1]...)
		info, err := fs.Lstat(r.fsys, prefix)
		if err != nil {
			return "", ""
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return prefix, path.Join(parts[i+1:]...)
		}
	}
	return "", ""
}

// exact finds a path without wildcards. A symlink stands for what it points to.
func (c *copier) exact(name string, at fault.Position) []string {
	resolved, ok := c.follow(name, at)
	if !ok {
		return nil
	}
	info, err := fs.Lstat(c.fsys, resolved)
	if errors.Is(err, fs.ErrNotExist) {
		c.Add(c.missing(name, at, "file"))
		return nil
	}
	if err != nil {
		c.Add(fault.New(fault.Context, "%s cannot be read: %w", name, err).In(at))
		return nil
	}
	if c.ignore.byUser(resolved) && !(info.IsDir() && c.ignore.exceptions && c.anyLeft(resolved)) {
		c.Add(fault.New(fault.Context, "%s exists, but .dockerignore leaves it out", name).In(at).
			Hint("Add !%s to .dockerignore, or remove it from app.copy.", name))
		return nil
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		c.Add(irregular(name, info.Mode()).In(at))
		return nil
	}
	if resolved != name && c.ignore.isSecret(resolved) {
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
	looked := 0
	start := staticPrefix(pattern)
	err = fs.WalkDir(c.fsys, start, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == start {
			return err
		}
		looked++
		matches := expression.MatchString(name)
		switch {
		case c.ignore.byUser(name) && !(d.IsDir() && c.ignore.exceptions && c.anyLeft(name)):
			if matches {
				ignored = append(ignored, name)
			}
			return skip(d)
		case matches && c.ignore.isSecret(name):
			c.ignore.secrets = append(c.ignore.secrets, name)
			return skip(d)
		case !matches:
			return nil
		}
		if _, ok := c.follow(name, at); ok {
			found = append(found, name)
		}
		return skip(d)
	})
	if err != nil {
		c.Add(c.missing(start, at, "directory").Hint("The pattern %s looks there.", pattern))
		return nil
	}
	if len(found) == 0 && len(c.ignore.secrets) == 0 {
		c.emptyGlob(pattern, start, looked, ignored, at)
	}
	slices.Sort(found)
	return found
}

func (c *copier) emptyGlob(pattern, start string, looked int, ignored []string, at fault.Position) {
	f := fault.New(fault.Context, "nothing matches %q among the %d files and directories below %s", pattern, looked, start).In(at)
	if len(ignored) > 0 {
		f.Hint(".dockerignore leaves out what would match: %s.", strings.Join(ignored[:min(3, len(ignored))], ", "))
	}
	c.Add(f)
}

// staticPrefix is the directory of a pattern above its first wildcard.
func staticPrefix(pattern string) string {
	parts := strings.Split(pattern, "/")
	i := slices.IndexFunc(parts, recipe.IsGlob)
	return path.Join(append([]string{"."}, parts[:i]...)...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
