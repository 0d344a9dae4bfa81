package requirements

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
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
	Python  string       `toml:"python-versions"`
	Markers any          `toml:"markers"` // a marker, or one for each group
	Files   []poetryFile `toml:"files"`
	Source  struct {
		Type      string `toml:"type"`
		URL       string `toml:"url"`
		Reference string `toml:"reference"`
		Commit    string `toml:"resolved_reference"`
		Subdir    string `toml:"subdirectory"`
	} `toml:"source"`
}

type poetryFile struct {
	Hash string `toml:"hash"`
}

// readPoetryLock reads a poetry.lock, whose versions and hashes uv keeps to; nil after a fault.
func readPoetryLock(t files.Tree, name string, at fault.Position) *foundPoetry {
	data, ok := lockFile(t, name, at)
	if !ok {
		return nil
	}
	lock := &poetryLock{}
	if err := toml.Unmarshal(data, lock); err != nil {
		badTOML(t.Report, name, err)
		return nil
	}
	return &foundPoetry{name: name, lock: lock}
}

// foundPoetry is a poetry.lock that was read.
type foundPoetry struct {
	name string
	lock *poetryLock
}

// checkPoetry finds dependencies that were added after the lock was written. direct is what the project asks for by name.
func checkPoetry(report *yamldoc.Report, found *foundPoetry, py *Pyproject, direct []Requirement) {
	if found == nil {
		return
	}
	known := map[string]bool{}
	for _, p := range found.lock.Packages {
		known[pypi.Normalize(p.Name)] = true
	}
	for _, q := range direct {
		if q.At.File == py.path && !known[q.Name] {
			report.Add(fault.New(fault.LockStale, "%s does not have %s, which %s asks for", found.name, q.Name, py.path).In(q.At).Hint("run poetry lock"))
		}
	}
}

// pins are the versions of the lock's packages that come from an index, for a version of Python.
func (l *poetryLock) pins(python string) []lockedPackage {
	var all []lockedPackage
	for _, p := range l.Packages {
		if p.Source.Type != "" && p.Source.Type != "legacy" {
			continue // git, url, file, directory: pyproject.toml names it
		}
		if p.fits(python) {
			all = append(all, lockedPackage{name: pypi.Normalize(p.Name), version: p.Version, marker: p.marker(), sha256: l.sums(p)})
		}
	}
	return alternatives(all)
}

// fits reports whether a package runs on some release of a version of Python, as far as the lock says it. Locks before Poetry 2 tell versions for different
// Pythons apart by that alone.
func (p *poetryPackage) fits(python string) bool {
	spec, err := poetryConstraint(p.Python)
	if err != nil {
		return true
	}
	specifiers, err := pypi.ParseSpecifiers(spec)
	if err != nil {
		return true
	}
	return slices.ContainsFunc([]string{".0", ".99"}, func(patch string) bool {
		v, err := pypi.ParseVersion(python + patch)
		return err != nil || specifiers.Admit(v)
	})
}

// marker says where a package is wanted, in one group or another.
func (p *poetryPackage) marker() string {
	switch written := p.Markers.(type) {
	case string:
		return written
	case map[string]any:
		var parts []string
		for _, group := range recipe.SortedKeys(written) {
			text, ok := written[group].(string)
			if !ok {
				return ""
			}
			parts = append(parts, "("+text+")")
		}
		return strings.Join(recipe.SortedUnique(parts), " or ")
	}
	return ""
}

// sums are the hashes of a package's files.
func (l *poetryLock) sums(p poetryPackage) []string {
	var sums []string
	for _, f := range slices.Concat(p.Files, l.Metadata.Files[p.Name]) {
		if sum, ok := strings.CutPrefix(f.Hash, "sha256:"); ok {
			sums = append(sums, sum)
		}
	}
	return sums
}

// commits are the packages from git, as requirements of the commits that the lock has.
func (l *poetryLock) commits() []string {
	var all []string
	for _, p := range l.Packages {
		if p.Source.Type != "git" || p.Source.Commit == "" {
			continue
		}
		text := p.Name + " @ git+" + gitURL(p.Source.URL) + "@" + p.Source.Commit
		if p.Source.Subdir != "" {
			text += "#subdirectory=" + p.Source.Subdir
		}
		all = append(all, text)
	}
	return all
}

// archives are the hashes of what comes by its URL.
func (l *poetryLock) archives() []hashedLine {
	var all []hashedLine
	for _, p := range l.Packages {
		if sums := l.sums(p); p.Source.Type == "url" && len(sums) > 0 {
			all = append(all, hashedLine{name: pypi.Normalize(p.Name), sha256: sums})
		}
	}
	return all
}

// hasBuild reports whether the torch of the lock is the build that an accelerator wants, or there is none.
func (l *poetryLock) hasBuild(a recipe.Accelerator) bool {
	return !slices.ContainsFunc(l.Packages, func(p poetryPackage) bool {
		return pypi.Normalize(p.Name) == "torch" && !fitsAccelerator(p.Version, p.Source.URL, a)
	})
}

// withPoetrySources takes [[tool.poetry.source]] as indexes. A source that is explicit, or that the lock names for a package, is bound to its packages.
// own are the indexes of the project file, which stand before them.
func withPoetrySources(report *yamldoc.Report, own []indexSpec, py *Pyproject, found *foundPoetry, o origins) origins {
	if !py.poetry() {
		return o
	}
	sources := py.Tool.Poetry.Sources
	public := slices.ContainsFunc(sources, func(s poetrySource) bool { return strings.EqualFold(s.Name, "pypi") })
	standard := slices.ContainsFunc(o.indexes, func(ix recipe.Index) bool { return ix.Default })
	for i, s := range sources {
		if s.URL == "" || indexAt(own, s.URL) >= 0 {
			continue
		}
		at := py.at(tomltext.Element("tool.poetry.source", i) + ".url")
		if !report.CheckURL(yamldoc.String{Value: s.URL, At: at, Set: true}, "the source "+s.Name) {
			continue
		}
		if m := torchIndex.FindStringSubmatch(s.URL); m != nil {
			if o.torch.Tag == "" {
				o.torch = TorchLine{m[1], m[2], at}
			}
			continue
		}
		ix := recipe.Index{Name: cmp.Or(recipe.CleanName(s.Name), "source"), URL: s.URL, Packages: poetrySourced(py.Tool.Poetry, found, s.Name)}
		first := s.Priority == "primary" || s.Priority == "default" || s.Priority == "" && !s.Secondary
		if len(ix.Packages) == 0 && s.Priority == "explicit" {
			continue
		}
		if first && !public && !standard {
			ix.Default, ix.Packages, standard = true, nil, true
		}
		o.indexes = append(o.indexes, ix)
	}
	return o
}

// poetrySourced lists the packages that come from a source: by the lock, or as pyproject.toml binds them.
func poetrySourced(tool *poetryTool, found *foundPoetry, name string) []string {
	var packages []string
	tables := []map[string]any{tool.Dependencies, tool.Dev}
	for _, group := range recipe.SortedKeys(tool.Groups) {
		tables = append(tables, tool.Groups[group].Dependencies)
	}
	for _, table := range tables {
		for _, dependency := range recipe.SortedKeys(table) {
			if poetryDependency(table[dependency]).source == name {
				packages = append(packages, pypi.Normalize(dependency))
			}
		}
	}
	if found != nil {
		for _, p := range found.lock.Packages {
			if p.Source.Type == "legacy" && p.Source.Reference == name {
				packages = append(packages, pypi.Normalize(p.Name))
			}
		}
	}
	return recipe.SortedUnique(packages)
}
