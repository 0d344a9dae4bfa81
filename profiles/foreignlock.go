package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// maxLockBytes bounds a lock of another tool: it travels inside the build's definition, which one message of the daemon's API has to hold.
const maxLockBytes = 8 << 20

// foreignLock decides whether the lock of another tool says the versions: the one that python.lock names, else uv.lock or poetry.lock of the project
// whose dependencies are wanted.
func (r *resolver) foreignLock() {
	named := r.python.lock
	switch {
	case named.Set && named.Value == "none":
	case named.Set:
		if clean, ok := r.inside(named.Value, named.At, "lock"); ok {
			r.takeLock(clean, named.At)
		}
	case r.recipe.Requires.Project != nil:
		if found := r.findLock(path.Dir(r.recipe.Requires.Project.File.Path)); found != "" {
			r.takeLock(found, fault.Position{})
		}
	}
}

// findLock looks for a lock beside the project's pyproject.toml, and for the uv.lock of the workspace that it belongs to.
func (r *resolver) findLock(dir string) string {
	if name := path.Join(dir, "poetry.lock"); r.py.poetry() && r.exists(name) {
		return name
	}
	for {
		if name := path.Join(dir, "uv.lock"); r.exists(name) {
			return name
		}
		if dir == "." {
			return ""
		}
		dir = path.Dir(dir)
	}
}

func (r *resolver) takeLock(name string, at fault.Position) {
	base := path.Base(name)
	switch {
	case base == "uv.lock":
		r.takeUV(name, at)
	case base == "poetry.lock":
		r.takePoetry(name, at)
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		r.takePylock(name, at)
	default:
		r.Specf(at, "%s is no lock that mlbuild reads", name).Hint("it reads uv.lock, poetry.lock and pylock.toml (PEP 751); none turns them off")
	}
}

// takePylock takes a lock in the standard's form as it is. It lists every package: nothing else may ask for some.
func (r *resolver) takePylock(name string, at fault.Position) {
	p, req := r.python, &r.recipe.Requires
	if !r.exists(name) {
		r.Add(r.missing(name, at, "lock"))
		return
	}
	for _, other := range []struct {
		key   string
		given []yamldoc.String
	}{{"requirements", p.requirements}, {"packages", p.packages}, {"constraints", p.constraints}, {"overrides", p.overrides}, {"no_deps", p.noDeps}} {
		if len(other.given) > 0 {
			r.Specf(other.given[0].At, "python.%s has no effect beside python.lock: %s, which lists every package", other.key, name).
				Hint("take one of the two away")
		}
	}
	if len(p.then) > 0 {
		r.Specf(at, "python.then has no effect beside python.lock: %s, which lists every package", name).Hint("take one of the two away")
	}
	req.Lock, req.From, req.Project, req.Files = name, name, nil, nil
	req.Extras, req.Groups = recipe.SortedUnique(yamldoc.Values(p.extras)), recipe.SortedUnique(yamldoc.Values(p.groups))
}

// asksBeside reports whether the profile asks for more than a project's pyproject.toml does.
func (r *resolver) asksBeside() bool {
	q := r.recipe.Requires
	return len(q.Files)+len(q.Packages)+len(q.Constraints)+len(q.Overrides)+len(q.NoDeps)+len(q.FindLinks) > 0
}

// pin holds the versions of another tool's lock: as constraints, which uv keeps to, and by their hashes.
func (r *resolver) pin(name string, pins []lockedPackage) {
	var text strings.Builder
	req := &r.recipe.Requires
	overridden := map[string]bool{}
	for _, q := range r.replaced {
		overridden[q.Name] = true
	}
	for _, p := range pins {
		if overridden[p.name] || r.rebound(p.name) {
			continue
		}
		version := p.version
		if slices.Contains(compat.Torch().Index.Family, p.name) && req.Torch != "" {
			version, _, _ = strings.Cut(version, "+") // the profile's own build of it
		}
		text.WriteString(p.name + "==" + version)
		if p.marker != "" {
			text.WriteString(" ; " + p.marker)
		}
		text.WriteString("\n")
		if version == p.version && len(p.sha256) > 0 {
			r.hashed = append(r.hashed, hashedLine{p.name, p.version, p.sha256})
		}
	}
	req.From = name
	req.Constraints = append(req.Constraints, recipe.File{Path: name, Data: text.String(), Top: true})
	req.Hashes = pinnedHashes(r.hashed)
}

// rebound reports whether a package follows the build of torch: where the profile takes another build than the lock, its versions do not fit.
func (r *resolver) rebound(name string) bool {
	if r.recipe.Requires.Torch == "" {
		return false
	}
	return strings.HasPrefix(name, "nvidia-") || strings.HasPrefix(name, "cuda-") || slices.Contains(compat.Torch().Index.Follow, name)
}

// lockedPackage is a package of another tool's lock.
type lockedPackage struct {
	name, version string // normalized name
	marker        string // PEP 508, "" = always
	sha256        []string
}

// alternatives puts versions of one package that no marker tells apart away: none of them is the one.
func alternatives(all []lockedPackage) []lockedPackage {
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
