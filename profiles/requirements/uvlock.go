package requirements

import (
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
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

// readUVLock reads a uv.lock, with the files beside it that uv reads; nil after a fault. Whether uv takes the packages from it or only keeps to its
// versions is decided with the accelerator.
func readUVLock(t files.Tree, name string, at fault.Position) *foundUV {
	data, ok := lockFile(t, name, at)
	if !ok {
		return nil
	}
	lock := &uvLock{}
	if err := toml.Unmarshal(data, lock); err != nil {
		badTOML(t.Report, name, err)
		return nil
	}
	if lock.Version != 1 {
		t.Add(fault.New(fault.Lock, "version %d of uv.lock is not supported, mlbuild reads 1", lock.Version).In(fault.Position{File: name}))
		return nil
	}
	return &foundUV{name: name, lock: lock, files: workspace(t, name, data, lock)}
}

// foundUV is a uv.lock that was read.
type foundUV struct {
	name  string
	lock  *uvLock
	files []recipe.File
}

// lockFile reads a lock of another tool.
func lockFile(t files.Tree, name string, at fault.Position) ([]byte, bool) {
	return t.FileUpTo(name, at, "lock", maxLockBytes)
}

// workspace gathers what uv reads: its lock, and the pyproject.toml of the workspace and of each of its packages in the project.
func workspace(t files.Tree, name string, data []byte, lock *uvLock) []recipe.File {
	files := []recipe.File{{Path: name, Data: string(data), Top: true}}
	add := func(file string) {
		if slices.ContainsFunc(files, func(f recipe.File) bool { return f.Path == file }) || !t.Exists(file) {
			return
		}
		if text, ok := t.SmallFile(file, fault.Position{}, "project"); ok {
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

// checkUV holds the lock against pyproject.toml: a dependency that is missing in the lock's copy means that uv did not lock it since. direct is what the
// project asks for by name.
func checkUV(report *yamldoc.Report, uv *foundUV, py *Pyproject, direct []Requirement) {
	if uv == nil {
		return
	}
	dir := path.Dir(py.path)
	root := path.Dir(uv.name)
	i := slices.IndexFunc(uv.lock.Packages, func(p uvPackage) bool {
		local, ok := p.Source.local()
		return ok && path.Join(root, local) == dir
	})
	if i < 0 || py.Project == nil {
		return // groups alone: such a project is no package of the lock
	}
	known := map[string]bool{}
	meta := uv.lock.Packages[i].Meta
	for _, q := range slices.Concat(meta.Requires, slices.Concat(mapValues(meta.Groups)...)) {
		known[pypi.Normalize(q.Name)] = true
	}
	for _, q := range direct {
		if q.At.File == py.path && !known[q.Name] && q.Name != pypi.Normalize(py.Project.Name) {
			report.Add(fault.New(fault.LockStale, "%s does not know %s, which %s asks for", uv.name, q.Name, py.path).In(q.At).Hint("run uv lock"))
		}
	}
}

func mapValues[V any](m map[string]V) []V {
	var values []V
	for _, key := range recipe.SortedKeys(m) {
		values = append(values, m[key])
	}
	return values
}

// keptVersions says why only the versions of the project's uv.lock are kept in this profile, and packages chosen anew; "" = it is the answer to exactly
// what the profile asks, so that uv takes the packages from it and knows its sources, indexes and conflicts.
func keptVersions(uv *foundUV, req recipe.Requirements, a recipe.Accelerator) string {
	switch {
	case asksBeside(req):
		return "the profile asks for more than it"
	case len(req.Rename) > 0:
		return "the profile takes " + strings.Join(mapValues(req.Rename), ", ")
	case !uv.lock.hasBuild(a):
		return "the profile takes another build of torch"
	}
	return ""
}

// fromUVLock has uv take the packages from its own lock.
func fromUVLock(report *yamldoc.Report, uv *foundUV, w Wanted) Wanted {
	w.Requires.From = uv.name
	w.Requires.UV = &recipe.UVLock{Files: uv.files, Dir: path.Dir(w.Requires.Project.File.Path)}
	for _, p := range uv.lock.Packages {
		dir, own := p.Source.local()
		if own && AsksFor(w.Direct, pypi.Normalize(p.Name)) { // a package of the workspace: its code, and no wheel
			report.Notef("%s is code of the project (%s) and is not installed: copy it with app.copy", p.Name, path.Join(path.Dir(uv.name), dir))
		}
	}
	return w
}

// hasBuild reports whether the lock has the build of torch that an accelerator wants, or no torch at all.
func (l *uvLock) hasBuild(a recipe.Accelerator) bool {
	if a.Kind == recipe.CUDA && a.CUDA == "" {
		return true
	}
	wanted := "cpu"
	if a.Kind == recipe.CUDA {
		wanted = compat.CUDATag(a.CUDA)
	}
	has := true
	for _, p := range l.Packages {
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

// pins are the versions of the lock's packages that come from an index.
func (l *uvLock) pins() []lockedPackage {
	var all []lockedPackage
	for _, p := range l.Packages {
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
	return alternatives(all)
}
