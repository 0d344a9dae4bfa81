package requirements

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// maxLockBytes bounds a lock of another tool: it travels inside the build's definition, which one message of the daemon's API has to hold.
const maxLockBytes = 8 << 20

// withForeignLock decides whether the lock of another tool says the versions: the one that python.lock names, else uv.lock or poetry.lock of the project
// whose dependencies are wanted.
func withForeignLock(t files.Tree, p Spec, py *Pyproject, w Wanted) Wanted {
	name, at := namedLock(t, p.lock), p.lock.At
	if source := w.Requires.Project; !p.lock.Set && source != nil {
		name, at = findLock(t, path.Dir(source.File.Path), py.poetry()), fault.Position{}
	}
	base := path.Base(name)
	switch {
	case name == "":
	case (base == "uv.lock" || base == "poetry.lock") && w.Requires.Project == nil:
		t.Specf(at, "%s belongs to a pyproject.toml, whose dependencies are not asked for", name).Hint("write python: {project: .}")
	case base == "uv.lock":
		w.uv = readUVLock(t, name, at)
		checkUV(t, w.uv, py, w.Direct)
	case base == "poetry.lock":
		w.poetry = readPoetryLock(t, name, at)
		checkPoetry(t.Report, w.poetry, py, w.Direct)
	case !strings.HasPrefix(base, "pylock.") || !strings.HasSuffix(base, ".toml"):
		t.Specf(at, "%s is no lock that mlbuild reads", name).Hint("it reads uv.lock, poetry.lock and pylock.toml (PEP 751); none turns them off")
	case !t.Exists(name):
		t.Add(t.Missing(name, at, "lock"))
	default:
		onlyPylock(t.Report, p, name, at)
		w.Requires = fromPylock(w.Requires, p, name)
	}
	return w
}

// namedLock is the path of the lock that python.lock names, "" = none, or one outside the project.
func namedLock(t files.Tree, named yamldoc.String) string {
	if !named.Set || named.Value == "none" {
		return ""
	}
	name, _ := t.Reaches(named.Value, named.At, "lock")
	return name
}

// findLock looks for a lock beside the project's pyproject.toml, and for the uv.lock of the workspace that it belongs to; "" = there is none.
func findLock(t files.Tree, dir string, poetry bool) string {
	if name := path.Join(dir, "poetry.lock"); poetry && t.Exists(name) {
		return name
	}
	for dir = t.InRoot(dir); ; dir = path.Dir(dir) {
		if name := t.FromRoot(path.Join(dir, "uv.lock")); t.Exists(name) {
			return name
		}
		if dir == "." {
			return ""
		}
	}
}

// onlyPylock refuses what asks for packages beside a lock in the standard's form.
func onlyPylock(report *yamldoc.Report, p Spec, name string, at fault.Position) {
	for _, other := range []struct {
		key   string
		given []yamldoc.String
	}{{"requirements", p.requirements}, {"packages", p.packages}, {"constraints", p.constraints}, {"overrides", p.overrides}, {"no_deps", p.noDeps}} {
		if len(other.given) > 0 {
			report.Specf(other.given[0].At, "python.%s has no effect beside python.lock: %s, which lists every package", other.key, name).
				Hint("take one of the two away")
		}
	}
	if len(p.then) > 0 {
		report.Specf(at, "python.then has no effect beside python.lock: %s, which lists every package", name).Hint("take one of the two away")
	}
}

// fromPylock takes a lock in the standard's form as it is. It lists every package.
func fromPylock(req recipe.Requirements, p Spec, name string) recipe.Requirements {
	req.Lock, req.From, req.Project, req.Files = name, name, nil, nil
	req.Extras, req.Groups = recipe.SortedUnique(yamldoc.Values(p.extras)), recipe.SortedUnique(yamldoc.Values(p.groups))
	return req
}

// asksBeside reports whether the profile asks for more than a project's pyproject.toml does.
func asksBeside(q recipe.Requirements) bool {
	return len(q.Files)+len(q.Packages)+len(q.Constraints)+len(q.Overrides)+len(q.NoDeps)+len(q.FindLinks) > 0
}

// otherLock is what the lock of another tool holds where packages are chosen anew.
type otherLock struct {
	name    string // its path
	pins    []lockedPackage
	commits []string     // packages from git, as requirements of commits
	sums    []hashedLine // of packages by URL
	build   bool         // its torch is the build that the profile takes
}

// pinned holds the versions of another tool's lock: as constraints, which uv keeps to, by their hashes, and what comes from git by overrides with the commit.
func (w Wanted) pinned(o otherLock, names NamesQuestion) Wanted {
	var text strings.Builder
	overridden := map[string]bool{}
	for _, q := range w.replaced {
		overridden[q.Name] = true
	}
	for _, p := range o.pins {
		if overridden[p.name] || !o.build && followsBuild(p.name) || overridden["torch"] && slices.Contains(compat.Torch().Index.Follow, p.name) {
			continue
		}
		version := p.version
		if slices.Contains(compat.Torch().Index.Family, p.name) && (w.Requires.Torch != "" || !o.build) {
			version, _, _ = strings.Cut(version, "+") // the profile's own build of it
		}
		for _, line := range append([]string{p.line(version)}, p.renamed(names)...) {
			text.WriteString(line + "\n")
		}
		if len(p.sha256) > 0 {
			w.hashed = append(w.hashed, hashedLine{p.name, p.version, p.sha256})
		}
	}
	var commits []Requirement
	for _, text := range o.commits {
		if q := pypi.ParseItem(text).Required; !overridden[q.Name] {
			commits = append(commits, Requirement{Requirement: q, tail: q.Rest()})
		}
	}
	w = w.replacing(commits)
	w.hashed = append(w.hashed, o.sums...)
	w.Requires.From = o.name
	w.Requires.Constraints = append(w.Requires.Constraints, recipe.File{Path: strings.ReplaceAll(o.name, "../", ""), Data: text.String(), Top: true})
	w.Requires.Hashes = pinnedHashes(w.hashed)
	return w
}

// followsBuild reports whether a package belongs to one build of torch alone: where the profile takes another than the lock, the lock's is none of it.
func followsBuild(name string) bool {
	return (strings.HasPrefix(name, "nvidia-") || strings.HasPrefix(name, "cuda-")) && !compat.WithoutLibraries(name)
}

// lockedPackage is a package of another tool's lock.
type lockedPackage struct {
	name, version string // normalized name
	marker        string // PEP 508, "" = always
	sha256        []string
	taken         bool // the project takes it: its marker holds
}

// line is the version as a constraint.
func (p lockedPackage) line(version string) string {
	if p.marker == "" {
		return p.name + "==" + version
	}
	return p.name + "==" + version + " ; " + p.marker
}

// renamed are the versions of the packages that the accelerator has in its place: the same, or where these have releases of their own, the same minor version.
func (p lockedPackage) renamed(names NamesQuestion) []string {
	var lines []string
	for _, platform := range recipe.Platforms {
		to := otherName(p.name, p.version, names, platform)
		if to == "" {
			continue
		}
		other := p
		other.name, _, _ = strings.Cut(to, "[")
		version := p.version
		if f := compat.Known().Frameworks.Of(p.name); f != nil && f.Names.ReleasedApart {
			version = compat.MinorOf(version) + ".*"
		}
		if line := other.line(version); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// alternatives puts versions of one package that no marker tells apart away: none of them is the one.
func alternatives(all []lockedPackage) []lockedPackage {
	all = slices.DeleteFunc(all, func(p lockedPackage) bool { return !p.taken && inDoubt(p, all) })
	bare := map[string]int{}
	for _, p := range all {
		if p.marker == "" {
			bare[p.name]++
		}
	}
	count := map[string]int{}
	for _, p := range all {
		count[p.name]++
	}
	return slices.DeleteFunc(all, func(p lockedPackage) bool { return count[p.name] > 1 && bare[p.name] > 0 })
}

// inDoubt reports whether the markers of two versions of a package hold at once somewhere. Those of uv's conflicts do: extras and groups tell them apart.
func inDoubt(p lockedPackage, all []lockedPackage) bool {
	for _, other := range all {
		if other.name != p.name || other.version == p.version && other.marker == p.marker {
			continue
		}
		for _, platform := range recipe.Platforms {
			for _, python := range compat.Known().Slim {
				env := pypi.NewEnvironment(pypi.Target{Python: python, Platform: platform}, python+".0", nil)
				if uvHolds(p.marker, env) && uvHolds(other.marker, env) {
					return true
				}
			}
		}
	}
	return false
}
