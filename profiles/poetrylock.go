package profiles

import (
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/tomltext"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// poetryLock is what a poetry.lock says that matters here.
type poetryLock struct {
	Packages []poetryPackage `toml:"package"`
	Metadata struct {
		// Files are where Poetry before 1.3 has the hashes.
		Files map[string][]poetryFile `toml:"files"`
	} `toml:"metadata"`
}

type poetryPackage struct {
	Name    string       `toml:"name"`
	Version string       `toml:"version"`
	Markers any          `toml:"markers"` // a marker, or one for each group
	Files   []poetryFile `toml:"files"`
	Source  struct {
		Type      string `toml:"type"`
		Reference string `toml:"reference"`
	} `toml:"source"`
}

type poetryFile struct {
	Hash string `toml:"hash"`
}

// takePoetry has uv keep to the versions of a poetry.lock, and to its hashes.
func (r *resolver) takePoetry(name string, at fault.Position) {
	if r.recipe.Requires.Project == nil {
		r.Specf(at, "%s belongs to a pyproject.toml, whose dependencies are not asked for", name).Hint("write python: {project: .}")
		return
	}
	data, ok := lockFile(r.tree, name, at)
	if !ok {
		return
	}
	lock := &poetryLock{}
	if err := toml.Unmarshal(data, lock); err != nil {
		badTOML(r.Report, name, err)
		return
	}
	r.poetry = &foundPoetry{name: name, lock: lock}
	r.checkPoetry()
}

// foundPoetry is a poetry.lock that was read.
type foundPoetry struct {
	name string
	lock *poetryLock
}

// checkPoetry finds dependencies that were added after the lock was written.
func (r *resolver) checkPoetry() {
	known := map[string]bool{}
	for _, p := range r.poetry.lock.Packages {
		known[pypi.Normalize(p.Name)] = true
	}
	for _, q := range r.direct {
		if q.at.File == r.py.path && !known[q.Name] {
			r.Add(fault.New(fault.LockStale, "%s does not have %s, which %s asks for", r.poetry.name, q.Name, r.py.path).In(q.at).Hint("run poetry lock"))
		}
	}
}

// pinPoetry makes constraints of the lock's versions.
func (r *resolver) pinPoetry() {
	if r.poetry == nil {
		return
	}
	var all []lockedPackage
	for _, p := range r.poetry.lock.Packages {
		if p.Source.Type != "" && p.Source.Type != "legacy" {
			continue // git, url, file, directory: pyproject.toml names it
		}
		locked := lockedPackage{name: pypi.Normalize(p.Name), version: p.Version}
		locked.marker, _ = p.Markers.(string)
		for _, f := range slices.Concat(p.Files, r.poetry.lock.Metadata.Files[p.Name]) {
			if sum, ok := strings.CutPrefix(f.Hash, "sha256:"); ok {
				locked.sha256 = append(locked.sha256, sum)
			}
		}
		all = append(all, locked)
	}
	r.pin(r.poetry.name, alternatives(all))
}

// poetryIndexes takes [[tool.poetry.source]] as indexes. A source that is explicit, or that the lock names for a package, is bound to its packages.
func (r *resolver) poetryIndexes() {
	if !r.py.poetry() || r.recipe.Requires.Project == nil {
		return
	}
	sources := r.py.Tool.Poetry.Sources
	public := slices.ContainsFunc(sources, func(s poetrySource) bool { return strings.EqualFold(s.Name, "pypi") })
	standard := slices.ContainsFunc(r.recipe.Requires.Indexes, func(ix recipe.Index) bool { return ix.Default })
	for i, s := range sources {
		if s.URL == "" || indexAt(r.python.indexes, s.URL) >= 0 {
			continue
		}
		at := r.py.at(tomltext.Element("tool.poetry.source", i) + ".url")
		if !checkURL(r.Report, yamldoc.String{Value: s.URL, At: at, Set: true}, "the source "+s.Name) {
			continue
		}
		if m := torchIndex.FindStringSubmatch(s.URL); m != nil {
			if r.found.torch.tag == "" {
				r.found.torch = torchLine{m[1], m[2], at}
			}
			continue
		}
		ix := recipe.Index{Name: orElse(cleanName(s.Name), "source"), URL: s.URL, Packages: r.poetrySourced(s.Name)}
		first := s.Priority == "primary" || s.Priority == "default" || s.Priority == "" && !s.Secondary
		if len(ix.Packages) == 0 && s.Priority == "explicit" {
			continue
		}
		if first && !public && !standard {
			ix.Default, ix.Packages, standard = true, nil, true
		}
		r.recipe.Requires.Indexes = append(r.recipe.Requires.Indexes, ix)
	}
}

// poetrySourced lists the packages that come from a source: by the lock, or as pyproject.toml binds them.
func (r *resolver) poetrySourced(name string) []string {
	var packages []string
	tool := r.py.Tool.Poetry
	tables := []map[string]any{tool.Dependencies, tool.Dev}
	for _, group := range sortedKeys(tool.Groups) {
		tables = append(tables, tool.Groups[group].Dependencies)
	}
	for _, table := range tables {
		for _, dependency := range sortedKeys(table) {
			if poetryDependency(table[dependency]).source == name {
				packages = append(packages, pypi.Normalize(dependency))
			}
		}
	}
	if r.poetry != nil {
		for _, p := range r.poetry.lock.Packages {
			if p.Source.Type == "legacy" && p.Source.Reference == name {
				packages = append(packages, pypi.Normalize(p.Name))
			}
		}
	}
	return recipe.SortedUnique(packages)
}
