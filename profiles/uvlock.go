package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// uvLock is what a uv.lock says that matters here.
type uvLock struct {
	Version  int         `toml:"version"`
	Packages []uvPackage `toml:"package"`
}

type uvPackage struct {
	Name    string   `toml:"name"`
	Version string   `toml:"version"`
	Source  uvSource `toml:"source"`
	Markers []string `toml:"resolution-markers"`
	Sdist   *uvFile  `toml:"sdist"`
	Wheels  []uvFile `toml:"wheels"`
	Meta    struct {
		Requires []uvRequirement            `toml:"requires-dist"`
		Groups   map[string][]uvRequirement `toml:"requires-dev"`
	} `toml:"metadata"`
}

type uvSource struct {
	Registry, Editable, Virtual, Directory string
}

type uvFile struct {
	Hash string `toml:"hash"`
}

type uvRequirement struct {
	Name string `toml:"name"`
}

// local is the directory of a package of the workspace, relative to uv.lock; ok is false for any other.
func (s uvSource) local() (dir string, ok bool) {
	for _, dir := range []string{s.Editable, s.Virtual, s.Directory} {
		if dir != "" {
			return dir, true
		}
	}
	return "", false
}

// takeUV reads a uv.lock. Whether uv takes the packages from it or only keeps to its versions is decided with the accelerator.
func (r *resolver) takeUV(name string, at fault.Position) {
	req := &r.recipe.Requires
	if req.Project == nil {
		r.Specf(at, "%s belongs to a pyproject.toml, whose dependencies are not asked for", name).Hint("write python: {project: .}")
		return
	}
	data, ok := lockFile(r.tree, name, at)
	if !ok {
		return
	}
	lock := &uvLock{}
	if err := toml.Unmarshal(data, lock); err != nil {
		badTOML(r.Report, name, err)
		return
	}
	if lock.Version != 1 {
		r.Add(fault.New(fault.Lock, "version %d of uv.lock is not supported, mlbuild reads 1", lock.Version).In(fault.Position{File: name}))
		return
	}
	r.uv = &foundUV{name: name, lock: lock}
	r.checkUV()
	r.uv.files = workspace(r.tree, name, data, lock)
}

// foundUV is a uv.lock that was read.
type foundUV struct {
	name  string
	lock  *uvLock
	files []recipe.File
	pins  bool // only its versions are kept
}

// lockFile reads a lock of another tool.
func lockFile(t tree, name string, at fault.Position) ([]byte, bool) {
	return t.fileUpTo(name, at, "lock", maxLockBytes)
}

// workspace gathers what uv reads: its lock, and the pyproject.toml of the workspace and of each of its packages in the project.
func workspace(t tree, name string, data []byte, lock *uvLock) []recipe.File {
	files := []recipe.File{{Path: name, Data: string(data), Top: true}}
	add := func(file string) {
		if slices.ContainsFunc(files, func(f recipe.File) bool { return f.Path == file }) || !t.exists(file) {
			return
		}
		if text, ok := t.smallFile(file, fault.Position{}, "project"); ok {
			files = append(files, recipe.File{Path: file, Data: string(text)})
		}
	}
	root := path.Dir(name)
	add(path.Join(root, "pyproject.toml"))
	for _, p := range lock.Packages {
		dir, ok := p.Source.local()
		if clean := path.Join(root, dir); ok && !path.IsAbs(dir) && clean != ".." && !strings.HasPrefix(clean, "../") {
			add(path.Join(clean, "pyproject.toml"))
		}
	}
	slices.SortFunc(files, func(a, b recipe.File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// checkUV holds the lock against pyproject.toml: a dependency that is missing in the lock's copy means that uv did not lock it since.
func (r *resolver) checkUV() {
	dir := path.Dir(r.py.path)
	root := path.Dir(r.uv.name)
	i := slices.IndexFunc(r.uv.lock.Packages, func(p uvPackage) bool {
		local, ok := p.Source.local()
		return ok && path.Join(root, local) == dir
	})
	if i < 0 || r.py.Project == nil {
		return // groups alone: such a project is no package of the lock
	}
	known := map[string]bool{}
	meta := r.uv.lock.Packages[i].Meta
	for _, q := range slices.Concat(meta.Requires, slices.Concat(mapValues(meta.Groups)...)) {
		known[pypi.Normalize(q.Name)] = true
	}
	for _, q := range r.direct {
		if q.at.File == r.py.path && !known[q.Name] && q.Name != pypi.Normalize(r.py.Project.Name) {
			r.Add(fault.New(fault.LockStale, "%s does not know %s, which %s asks for", r.uv.name, q.Name, r.py.path).In(q.at).Hint("run uv lock"))
		}
	}
}

func mapValues[V any](m map[string]V) []V {
	var values []V
	for _, key := range sortedKeys(m) {
		values = append(values, m[key])
	}
	return values
}

// useUV decides what the uv.lock is good for in this profile. If it is the answer to exactly what the profile asks, uv takes the packages from it,
// and knows its sources, indexes and conflicts. Where the profile asks for more, or takes other builds of its frameworks, the versions are kept.
func (r *resolver) useUV() {
	if r.uv == nil {
		return
	}
	req := &r.recipe.Requires
	why := ""
	switch {
	case r.asksBeside():
		why = "the profile asks for more than it"
	case len(req.Rename) > 0:
		why = "the profile takes " + strings.Join(mapValues(req.Rename), ", ")
	case !r.uvHasBuild():
		why = "the profile takes another build of torch"
	}
	if why != "" {
		r.Notef("the versions of %s are kept, packages are chosen anew: %s", r.uv.name, why)
		r.uv.pins = true
		return
	}
	req.From = r.uv.name
	req.UV = &recipe.UVLock{Files: r.uv.files, Dir: path.Dir(req.Project.File.Path)}
	r.leaveOut()
}

// leaveOut notes packages of the workspace that the project asks for: they are its own code and no wheels.
func (r *resolver) leaveOut() {
	for _, p := range r.uv.lock.Packages {
		dir, own := p.Source.local()
		if own && asksIn(r.direct, pypi.Normalize(p.Name)) {
			r.Notef("%s is code of the project (%s) and is not installed: copy it with app.copy", p.Name, path.Join(path.Dir(r.uv.name), dir))
		}
	}
}

// uvHasBuild reports whether the lock has the build of torch that the profile wants, or no torch at all.
func (r *resolver) uvHasBuild() bool {
	a := r.recipe.Accelerator
	if a.Kind == recipe.CUDA && a.CUDA == "" {
		return true
	}
	wanted := "cpu"
	if a.Kind == recipe.CUDA {
		wanted = compat.CUDATag(a.CUDA)
	}
	has := true
	for _, p := range r.uv.lock.Packages {
		if p.Name != "torch" {
			continue
		}
		_, local, _ := strings.Cut(p.Version, "+")
		if local == wanted || path.Base(strings.TrimRight(p.Source.Registry, "/")) == wanted {
			return true
		}
		has = false
	}
	return has
}

// pinUV makes constraints of the lock's versions.
func (r *resolver) pinUV() {
	if r.uv == nil || !r.uv.pins {
		return
	}
	var all []lockedPackage
	for _, p := range r.uv.lock.Packages {
		if p.Source.Registry == "" {
			continue
		}
		locked := lockedPackage{name: pypi.Normalize(p.Name), version: p.Version}
		if len(p.Markers) > 0 {
			locked.marker = "(" + strings.Join(p.Markers, ") or (") + ")"
		}
		files := p.Wheels
		if p.Sdist != nil {
			files = append(slices.Clone(files), *p.Sdist)
		}
		for _, f := range files {
			if sum, ok := strings.CutPrefix(f.Hash, "sha256:"); ok {
				locked.sha256 = append(locked.sha256, sum)
			}
		}
		all = append(all, locked)
	}
	r.pin(r.uv.name, alternatives(all))
}
