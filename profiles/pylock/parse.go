package pylock

import (
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/tomltext"
)

// maxBytes bounds a lock; the largest real ones, universal with hundreds of packages, are below 5 MiB.
const maxBytes = 64 << 20

// The raw types are the keys of PEP 751 that matter here; keys not named are ignored, as it asks for minor
// versions newer than 1.0.
type rawLock struct {
	LockVersion      string       `toml:"lock-version"`
	CreatedBy        string       `toml:"created-by"`
	RequiresPython   string       `toml:"requires-python"`
	Environments     []string     `toml:"environments"`
	Extras           []string     `toml:"extras"`
	DependencyGroups []string     `toml:"dependency-groups"`
	DefaultGroups    []string     `toml:"default-groups"`
	Packages         []rawPackage `toml:"packages"`
	Tool             struct {
		Mlbuild Tool `toml:"mlbuild"`
	} `toml:"tool"`
}

type rawPackage struct {
	Name           string     `toml:"name"`
	Version        string     `toml:"version"`
	Marker         string     `toml:"marker"`
	RequiresPython string     `toml:"requires-python"`
	Index          string     `toml:"index"`
	VCS            *rawSource `toml:"vcs"`
	Directory      *rawSource `toml:"directory"`
	Archive        *rawFile   `toml:"archive"`
	Sdist          *rawFile   `toml:"sdist"`
	Wheels         []rawFile  `toml:"wheels"`
	Dependencies   []struct {
		Name string `toml:"name"`
	} `toml:"dependencies"`
}

type rawSource struct {
	Type     string `toml:"type"`
	URL      string `toml:"url"`
	Path     string `toml:"path"`
	Commit   string `toml:"commit-id"`
	Revision string `toml:"requested-revision"`
	Subdir   string `toml:"subdirectory"`
	Editable bool   `toml:"editable"`
}

type rawFile struct {
	Name   string            `toml:"name"`
	URL    string            `toml:"url"`
	Path   string            `toml:"path"`
	Size   int64             `toml:"size"`
	Hashes map[string]string `toml:"hashes"`
	Subdir string            `toml:"subdirectory"`
}

// Parse reads a pylock.toml. name is its slash path in the project, for messages and as the place that its
// relative paths start from. Everything that is wrong comes back at once as a fault.List with line and column:
// fault.Lock for what cannot be used, fault.LockHash for a file without sha256, fault.SecretLeak for
// credentials in a URL, which no message repeats. TOML that is malformed is one fault with the lines around it.
func Parse(name string, data []byte) (*Lock, error) { return ParseBelow("", name, data) }

// ParseBelow is Parse for a project that lies in a directory (slash path, "" = none) of its workspace: paths of packages may lead to others there.
func ParseBelow(place, name string, data []byte) (*Lock, error) {
	raw, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	r := &reader{name: name, place: place, places: tomltext.Locate(data)}
	lock := r.lock(raw)
	if err := r.faults.Err(); err != nil {
		return nil, err
	}
	return lock, nil
}

// decode is the TOML part of Parse.
func decode(name string, data []byte) (*rawLock, error) {
	if len(data) > maxBytes {
		return nil, fault.New(fault.Lock, "the lock has %d bytes, more than the %d that mlbuild reads", len(data), maxBytes).
			In(fault.Position{File: name})
	}
	raw := &rawLock{}
	if err := toml.Unmarshal(data, raw); err != nil {
		return nil, malformed(name, data, err)
	}
	return raw, nil
}

// reader turns the raw lock into a Lock and collects what is wrong.
type reader struct {
	name   string
	place  string // the project's directory in its workspace
	places *tomltext.Places
	faults fault.List
}

// fail adds a fault at the place of a key such as "packages[3].marker".
func (r *reader) fail(code fault.Code, key, format string, args ...any) *fault.Fault {
	f := fault.New(code, format, args...).In(r.at(key))
	r.faults = append(r.faults, f)
	return f
}

func (r *reader) at(key string) fault.Position { return r.places.Position(r.name, key) }

func (r *reader) lock(raw *rawLock) *Lock {
	r.lockVersion(raw.LockVersion)
	r.specifiers("requires-python", "the lock", raw.RequiresPython)
	for i, m := range raw.Environments {
		r.marker(tomltext.Element("environments", i), "the lock's environment", m)
	}
	l := &Lock{
		Name: r.name, Version: raw.LockVersion, CreatedBy: raw.CreatedBy,
		RequiresPython: raw.RequiresPython, Environments: raw.Environments, Extras: raw.Extras,
		DependencyGroups: raw.DependencyGroups, DefaultGroups: raw.DefaultGroups, Tool: raw.Tool.Mlbuild,
	}
	for i := range raw.Packages {
		l.Packages = append(l.Packages, r.pkg(tomltext.Element("packages", i), &raw.Packages[i]))
	}
	applySizes(l.Packages, l.Tool.Sizes)
	return l
}

// lockVersion accepts 1.x: PEP 751 promises that a newer minor version stays readable.
func (r *reader) lockVersion(version string) {
	major, _, _ := strings.Cut(version, ".")
	switch {
	case version == "":
		r.fail(fault.Lock, "lock-version", "lock-version is missing").
			Hint("is this a pylock.toml? `mlbuild lock` makes one")
	case major != "1":
		r.fail(fault.Lock, "lock-version", "lock-version %q is not supported, mlbuild reads 1.x", version).
			Hint("make the lock again with `mlbuild lock`, or update mlbuild")
	}
}

func (r *reader) specifiers(key, whose, list string) {
	if _, err := pypi.ParseSpecifiers(list); err != nil {
		r.fail(fault.Lock, key, "requires-python of %s is malformed: %w", whose, err)
	}
}

func (r *reader) marker(key, whose, text string) {
	if _, err := pypi.ParseMarker(text); err != nil {
		r.fail(fault.Lock, key, "marker of %s is malformed: %w", whose, err)
	}
}

func (r *reader) pkg(key string, raw *rawPackage) Package {
	p := Package{
		Name: pypi.Normalize(raw.Name), Version: raw.Version, Marker: raw.Marker,
		RequiresPython: raw.RequiresPython, Index: raw.Index, At: r.at(key),
	}
	if !pypi.ValidName(raw.Name) {
		r.fail(fault.Lock, key+".name", "%q is not a package name", redact(raw.Name))
		return p
	}
	whose := p.label()
	r.marker(key+".marker", whose, raw.Marker)
	r.specifiers(key+".requires-python", whose, raw.RequiresPython)
	r.plainURL(key+".index", whose, raw.Index)
	for _, d := range raw.Dependencies {
		p.Dependencies = append(p.Dependencies, pypi.Normalize(d.Name))
	}
	slices.Sort(p.Dependencies)
	p.VCS = r.source(key+".vcs", whose, raw.VCS)
	if p.Directory = r.source(key+".directory", whose, raw.Directory); p.Directory != nil {
		p.Directory.Type = Directory
	}
	r.files(key, raw, &p)
	return p
}

// files reads the wheels, the sdist and the archive, and reports those without sha256 together.
func (r *reader) files(key string, raw *rawPackage, p *Package) {
	var bare []missingHash
	read := func(key string, raw *rawFile) File {
		f := r.file(key, p, raw)
		if f.SHA256 == "" && f.Name != "" {
			bare = append(bare, missingHash{key, f.Name, raw.Hashes})
		}
		return f
	}
	for i := range raw.Wheels {
		f := read(tomltext.Element(key+".wheels", i), &raw.Wheels[i])
		r.wheelName(tomltext.Element(key+".wheels", i), p, f)
		p.Wheels = append(p.Wheels, f)
	}
	if raw.Sdist != nil {
		f := read(key+".sdist", raw.Sdist)
		p.Sdist = &f
	}
	if raw.Archive != nil {
		f := read(key+".archive", raw.Archive)
		r.archive(key+".archive", p, f, raw.Archive.Subdir)
	}
	r.hashes(p, bare)
}

// archive takes a direct URL or path that names a wheel for a wheel: that is how uv writes it.
func (r *reader) archive(key string, p *Package, f File, subdir string) {
	if strings.HasSuffix(f.Name, ".whl") {
		r.wheelName(key, p, f)
		f.Direct = f.URL != ""
		p.Wheels = append(p.Wheels, f)
		return
	}
	p.Archive = f.source()
	p.Archive.Subdir = r.subdirectory(key, p.label(), subdir)
}

// applySizes fills in the sizes that the index did not give.
func applySizes(packages []Package, sizes map[string]int64) {
	fill := func(f *File) {
		if f.Size == 0 {
			f.Size = max(0, sizes[f.SHA256])
		}
	}
	for i := range packages {
		for j := range packages[i].Wheels {
			fill(&packages[i].Wheels[j])
		}
		if packages[i].Sdist != nil {
			fill(packages[i].Sdist)
		}
	}
}

// label is the package's name and version as messages show them.
func (p *Package) label() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + " " + redact(p.Version)
}
