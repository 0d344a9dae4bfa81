package requirements

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// WithNames returns the requirements with the names of packages that stand there as a path or a repository alone, ./libs/kit as kit @ ./libs/kit. What is said of such a package by its
// name, in said, counts for a resolver only where it knows the name without asking the package's build.
func WithNames(req recipe.Requirements, said []recipe.Metadata) recipe.Requirements {
	if len(said) == 0 {
		return req
	}
	name := func(q pypi.Requirement) string {
		if q.Name == "" {
			for _, candidate := range namesOf(q, req.Local) {
				if slices.ContainsFunc(said, func(m recipe.Metadata) bool { return m.Name == candidate }) {
					return candidate
				}
			}
		}
		return ""
	}
	req.Packages = slices.Clone(req.Packages)
	for i, text := range req.Packages {
		req.Packages[i] = named(text, []pypi.Line{pypi.ParseItem(text)}, name)
	}
	req.Files = slices.Clone(req.Files)
	for i, f := range req.Files {
		req.Files[i].Data = named(f.Data, pypi.ParseLines(f.Data), name)
	}
	return req
}

// named is a text that holds the requirements of lines, with the names that name returns.
func named(text string, lines []pypi.Line, name func(pypi.Requirement) string) string {
	var edits []pypi.Edit
	for _, l := range lines {
		if n := name(l.Required); n != "" && l.Offset >= 0 {
			edits = append(edits, l.Required.Named(n).In(l.Offset))
		}
	}
	return pypi.Apply(text, edits)
}

// namesOf are the names that a package by a path or a repository alone may have, the surest first.
func namesOf(q pypi.Requirement, local []recipe.LocalSource) (names []string) {
	if place := q.Path(); place != "" {
		for _, l := range local {
			if l.Path == path.Clean(place) && l.SHA256 == "" {
				names = append(names, l.Name, SetupName(l.Meta))
			}
		}
		return append(names, pypi.Normalize(path.Base(path.Clean(place))))
	}
	u, err := url.Parse(q.URL)
	if err != nil || !strings.HasPrefix(u.Scheme, "git+") {
		return nil
	}
	if values, err := url.ParseQuery(u.Fragment); err == nil && values.Get("egg") != "" {
		egg, _, _ := strings.Cut(values.Get("egg"), "[")
		names = append(names, pypi.Normalize(egg))
	}
	repository, _, _ := strings.Cut(path.Base(u.Path), "@")
	return append(names, pypi.Normalize(strings.TrimSuffix(repository, ".git")))
}

// The name in setup.py, where it is a text that stands there, and in setup.cfg.
var (
	setupPyName  = lazyregexp.New(`(?m)^[^#\n]*\bname\s*=\s*["']([A-Za-z0-9][A-Za-z0-9._-]*)["']`)
	setupCfgName = lazyregexp.New(`(?ms)^\[metadata\][^\[]*?^name\s*[=:]\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*$`)
)

// SetupName is the name of a package by its setup.py or setup.cfg, normalized; "" where only a run of it could tell.
func SetupName(meta []recipe.File) string {
	for _, f := range meta {
		expression := setupPyName
		switch path.Base(f.Path) {
		case "setup.cfg":
			expression = setupCfgName
		case "setup.py":
		default:
			continue
		}
		if m := expression.FindStringSubmatch(f.Data); m != nil {
			return pypi.Normalize(m[1])
		}
	}
	return ""
}

// WithSetup returns the requirements of a project that has a setup.py or setup.cfg alone and is to be installed: the project itself, with its extras, so that its build says what it requires. is
// reports whether that is so.
func WithSetup(t files.Tree, p Spec, py *Pyproject, install bool) (spec Spec, is bool) {
	if !install || py.HasProject() || p.requirements != nil || p.packages != nil || p.Project.Set || p.lock.Set || t.Exists("requirements.txt") || !bySetup(t) {
		return p, false
	}
	own := "."
	if len(p.extras) > 0 {
		own += "[" + strings.Join(yamldoc.Values(p.extras), ",") + "]"
	}
	p.packages, p.extras = []yamldoc.String{{Value: own, At: p.At, Set: true}}, nil
	return p, true
}

// bySetup reports whether setuptools can build the project without a [project] table.
func bySetup(t files.Tree) bool {
	return t.Exists("setup.py") || t.Exists("setup.cfg") && t.Exists("pyproject.toml")
}
