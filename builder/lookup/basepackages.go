package lookup

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// distribution is a package that lies in a base.
type distribution struct {
	name, version string
	metadata      string // absolute path of its metadata: a directory, or the file that older tools wrote
}

// metadataName is the name of a metadata directory: numpy-1.26.4.dist-info, or the older PyYAML-6.0-py3.11.egg-info.
var metadataName = lazyregexp.New(`^(.+?)-([^-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info$`)

// siteDirs are the directories in which a Python looks for packages beside its standard library, in its order.
func (l *baseReader) siteDirs(interpreter string) []string {
	prefix, name := path.Dir(path.Dir(interpreter)), "python"+l.recipe.Python.Version
	return []string{path.Join(prefix, "lib", name, "site-packages"), path.Join(prefix, "local/lib", name, "dist-packages"), path.Join(prefix, "lib/python3/dist-packages")}
}

// distributions lists the packages of some directories, read off the names of the metadata directories (PyPA, recording installed projects), sorted by name. The first of several
// directories with a package is the one that Python imports it from.
func (l *baseReader) distributions(dirs []string) []distribution {
	var all []distribution
	for _, dir := range dirs {
		for _, e := range slices.Concat(l.list(dir, "*.dist-info"), l.list(dir, "*.egg-info")) {
			m := metadataName.FindStringSubmatch(e.name)
			if m == nil {
				continue
			}
			d := distribution{pypi.Normalize(m[1]), m[2], path.Join(dir, e.name)}
			if !slices.ContainsFunc(all, func(have distribution) bool { return have.name == d.name }) {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b distribution) int { return cmp.Compare(a.name, b.name) })
	return all
}

// named writes packages as mlbuild.lock has them: "numpy==1.26.4".
func named(all []distribution) []string {
	texts := make([]string, len(all))
	for i, d := range all {
		texts[i] = d.name + "==" + d.version
	}
	return texts
}

var (
	versionKey  = lazyregexp.New(`(?m)^version(?:_info)?\s*=\s*(3\.[0-9]+)`)
	sharesOwner = lazyregexp.New(`(?mi)^include-system-site-packages\s*=\s*true\s*$`)
)

// environment adds to seen what lies in the place of the image's own environment, if there is one (PEP 405). One of another Python is a fault.Spec.
func (l *baseReader) environment(seen *buildlock.Contents) error {
	config, err := ReadFile(l.ctx, l.ref, wheel.Venv+"/pyvenv.cfg")
	if err != nil {
		return l.ctx.Err() // there is none
	}
	if m := versionKey.FindStringSubmatch(string(config)); m != nil && m[1] != l.recipe.Python.Version {
		return fault.New(fault.Spec, "the base %s has an environment in %s of Python %s, the project wants %s (%s)", l.recipe.Base.Ref, wheel.Venv, m[1], l.recipe.Python.Version, l.recipe.Python.From).
			Hint("set python: {version: %q}, or take a base with Python %s", m[1], l.recipe.Python.Version)
	}
	seen.Shared = sharesOwner.Match(config)
	seen.Environment = named(l.distributions(l.siteDirs(wheel.Venv + "/bin/python")[:1]))
	return nil
}

// Installed asks what the packages of a base that count say of themselves, for a resolution; found is what Contents said of the base.
func (b Bases) Installed(ctx context.Context, r *recipe.Recipe, base ops.Base, found Contents) ([]query.Installed, error) {
	if len(found.Packages) == 0 {
		return nil, nil
	}
	l, err := b.open(ctx, r, base)
	if err != nil {
		return nil, err
	}
	var all []query.Installed
	for _, d := range l.distributions(found.dirs(l)) {
		all = append(all, query.ParseInstalled(query.Installed{Name: d.name, Version: d.version}, l.describes(d)))
	}
	return all, ctx.Err()
}

// describes returns the metadata of a package, "" where it has none.
func (l *baseReader) describes(d distribution) string {
	for _, file := range []string{d.metadata + "/METADATA", d.metadata + "/PKG-INFO", d.metadata} {
		if data, err := ReadFile(l.ctx, l.ref, file); err == nil {
			return string(data)
		}
	}
	return ""
}

// taken returns the packages of the base that a lock counts on, as wheels of which only name and version are known. Where the base has one of them in another version, or no more,
// the fault is a fault.LockStale.
func (c Contents) taken(r *recipe.Recipe, lock *pylock.Lock) ([]pylock.Wheel, error) {
	var all []pylock.Wheel
	for _, text := range lock.Tool.Base {
		name, version, _ := strings.Cut(text, "==")
		i := slices.IndexFunc(c.Packages, func(p compat.Package) bool {
			return compat.SameProject(p.Name, name) && pypi.CompareVersions(p.Version, version) == 0
		})
		if i < 0 {
			return nil, fault.New(fault.LockStale, "the lock counts on %s %s of the base %s, which does not have it", name, version, r.Base.Ref).
				In(fault.Position{File: r.Requires.Lock}).Hint("mlbuild lock --profile %s", r.Profile)
		}
		all = append(all, pylock.Wheel{Name: name, Version: version})
	}
	return all, nil
}

// bySpared sorts the wheels that the base makes unnecessary.
func bySpared(wheels []pylock.Wheel) []pylock.Wheel {
	slices.SortStableFunc(wheels, func(a, b pylock.Wheel) int { return cmp.Compare(a.Name, b.Name) })
	return wheels
}

// replaced returns the packages of the base's environment in whose place some wheels come.
func (c Contents) replaced(wheels []pylock.Wheel) []compat.Package {
	var all []compat.Package
	for _, p := range c.Environment {
		if slices.ContainsFunc(wheels, func(w pylock.Wheel) bool { return compat.SameProject(w.Name, p.Name) }) {
			all = append(all, p)
		}
	}
	return all
}

// looks reports whether builds have to know what lies in a base.
func looks(r *recipe.Recipe, base ops.Base) bool {
	return r.Base.Look || r.Base.Packages || hasEnvironment(base)
}

// hasEnvironment reports whether a base says that it has an environment in the place of the image's own, as images of mlbuild have.
func hasEnvironment(base ops.Base) bool {
	return base.Variable("VIRTUAL_ENV") == wheel.Venv || slices.Contains(strings.Split(base.Variable("PATH"), ":"), wheel.Venv+"/bin")
}

// counting returns the packages of a base that count, those of them that lie in its environment, and whether the Python's own are among them.
func counting(r *recipe.Recipe, seen *buildlock.Contents) (all, environment []compat.Package, shared bool) {
	own, environment := packagesOf(seen.Packages), packagesOf(seen.Environment)
	shared = seen.Shared || r.Base.Packages || !r.Base.Alone && seen.Environment == nil && slices.ContainsFunc(own, isFramework)
	all = slices.Clone(environment)
	for _, p := range own {
		if shared && !slices.ContainsFunc(environment, func(e compat.Package) bool { return e.Name == p.Name }) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b compat.Package) int { return cmp.Compare(a.Name, b.Name) })
	return all, environment, shared
}

// isFramework reports whether a package is of a framework that bases are made for.
func isFramework(p compat.Package) bool { return compat.Known().Frameworks.Of(p.Name) != nil }

// packagesOf reads packages as mlbuild.lock has them, nil as nil.
func packagesOf(texts []string) []compat.Package {
	if texts == nil {
		return nil
	}
	all := []compat.Package{}
	for _, text := range texts {
		if name, version, ok := strings.Cut(text, "=="); ok {
			all = append(all, compat.Package{Name: name, Version: version})
		}
	}
	return all
}

// subtract leaves out the wheels that the base has: those of a package that is there in the locked version, and those that only such packages
// require, for the base's own work without them. Roots are the packages that the project names. What is there in another version is told in notes.
func (c Contents) subtract(lock *pylock.Lock, wheels []pylock.Wheel, roots []string) (kept, dropped []pylock.Wheel, notes []string) {
	there := map[string]bool{}
	for _, w := range wheels {
		i := slices.IndexFunc(c.Packages, func(p compat.Package) bool { return compat.SameProject(p.Name, w.Name) })
		switch {
		case i < 0:
		case w.Direct || w.Path != "" || w.Source != nil && w.Source.Type != pylock.Archive:
			notes = append(notes, fmt.Sprintf("the base has %s %s, the image gets what the project names by its place", w.Name, c.Packages[i].Version))
		case sameVersion(c.Packages[i].Version, w.Version):
			there[w.Name] = true
		default:
			notes = append(notes, fmt.Sprintf("the base has %s %s, the image gets %s of the lock, which wins", w.Name, c.Packages[i].Version, w.Version))
		}
	}
	if len(there) == 0 {
		return wheels, nil, notes
	}
	needed := lock.Needed(roots, there)
	for _, w := range wheels {
		if there[w.Name] || !needed[w.Name] {
			dropped = append(dropped, w)
		} else {
			kept = append(kept, w)
		}
	}
	return kept, dropped, notes
}

// sameVersion reports whether a base's version is the locked one. An index that serves one build of a release names it without its local version.
func sameVersion(has, locked string) bool {
	public, _, _ := strings.Cut(has, "+")
	return has == locked || public == locked
}

// shown returns the packages of the base that builds without isolation see, and the directories that these lie in, in the order in which the image's Python looks.
func (c Contents) shown(r *recipe.Recipe) (packages []pylock.Wheel, dirs []string) {
	for _, p := range c.Packages {
		if !query.InstallsPackages(p.Name) {
			packages = append(packages, pylock.Wheel{Name: p.Name, Version: p.Version})
		}
	}
	if len(packages) == 0 {
		return nil, nil
	}
	return packages, c.dirs(&baseReader{recipe: r})
}

// dirs are the directories of the packages that count, in the order in which the image's Python looks.
func (c Contents) dirs(l *baseReader) (dirs []string) {
	if c.Environment != nil {
		dirs = append(dirs, l.siteDirs(wheel.Venv + "/bin/python")[0])
	}
	if c.Shared {
		dirs = append(dirs, l.siteDirs(c.Interpreter)...)
	}
	return dirs
}
