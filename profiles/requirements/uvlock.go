package requirements

import (
	"fmt"
	"net/url"
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

	Dependencies []uvDependency            `toml:"dependencies"`
	Optional     map[string][]uvDependency `toml:"optional-dependencies"`
	Dev          map[string][]uvDependency `toml:"dev-dependencies"`

	Meta struct {
		Requires []uvRequirement            `toml:"requires-dist"`
		Groups   map[string][]uvRequirement `toml:"requires-dev"`
	} `toml:"metadata"`
}

type uvSource struct {
	Registry, Editable, Virtual, Directory, Git, URL, Path, Subdirectory string
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
	return &foundUV{name: name, root: t.InRoot(path.Dir(name)), lock: lock, files: workspace(t, name, data, lock)}
}

// foundUV is a uv.lock that was read.
type foundUV struct {
	name  string
	root  string // its directory, as seen from the directory above the project where there is one
	lock  *uvLock
	files []recipe.File
}

// lockFile reads a lock of another tool.
func lockFile(t files.Tree, name string, at fault.Position) ([]byte, bool) {
	return t.FileUpTo(name, at, "lock", maxLockBytes)
}

// workspace gathers what uv reads: its lock, and the pyproject.toml of the workspace and of each of its packages in the project.
func workspace(t files.Tree, name string, data []byte, lock *uvLock) []recipe.File {
	files := []recipe.File{{Path: t.InRoot(name), Data: string(data), Top: true}}
	add := func(inRoot string) {
		file := t.FromRoot(inRoot)
		if slices.ContainsFunc(files, func(f recipe.File) bool { return f.Path == inRoot }) || !t.Exists(file) {
			return
		}
		if text, ok := t.SmallFile(file, fault.Position{}, "project"); ok {
			files = append(files, recipe.File{Path: inRoot, Data: string(text)})
		}
	}
	root := t.InRoot(path.Dir(name))
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
func checkUV(t files.Tree, uv *foundUV, py *Pyproject, direct []Requirement) {
	if uv == nil {
		return
	}
	dir := t.InRoot(path.Dir(py.path))
	i := slices.IndexFunc(uv.lock.Packages, func(p uvPackage) bool {
		local, ok := p.Source.local()
		return ok && path.Join(uv.root, local) == dir
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
			t.Add(fault.New(fault.LockStale, "%s does not know %s, which %s asks for", uv.name, q.Name, py.path).In(q.At).Hint("run uv lock"))
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
// what the profile asks, so that uv takes the packages from it and knows its sources, indexes and conflicts. chosen is what it takes of the lock, mirror the root of PyTorch's indexes where the project names one.
func keptVersions(uv *foundUV, chosen uvChosen, req recipe.Requirements, names NamesQuestion, mirror yamldoc.String) string {
	others := mapValues(req.Rename)
	if names.Accelerator.Kind != recipe.CUDA {
		others = append(others, uv.lock.otherNames(chosen, names)...)
	}
	switch {
	case asksBeside(req):
		return "the profile asks for more than it"
	case len(others) > 0:
		return "the profile takes " + strings.Join(recipe.SortedUnique(others), ", ")
	case !uv.lock.hasBuild(chosen, names.Accelerator):
		return "the profile takes another build of torch"
	case mirror.Set && uv.lock.comesFromElsewhere(chosen, mirror.Value):
		return "pytorch_index is another place than the lock's for PyTorch's packages"
	}
	return ""
}

// comesFromElsewhere reports whether something that is taken comes from an index of PyTorch that is not in mirror.
func (l *uvLock) comesFromElsewhere(chosen uvChosen, mirror string) bool {
	for i, p := range l.Packages {
		if chosen != nil && len(chosen.on(i)) == 0 {
			continue
		}
		if m := torchIndex.FindStringSubmatch(p.Source.Registry); m != nil && m[1] != strings.TrimRight(mirror, "/") {
			return true
		}
	}
	return false
}

// otherNames are the packages that the accelerator has in the place of some that are taken.
func (l *uvLock) otherNames(chosen uvChosen, names NamesQuestion) []string {
	var others []string
	for i, p := range l.Packages {
		for _, platform := range chosen.on(i) {
			if to := otherName(pypi.Normalize(p.Name), p.Version, names, platform); to != "" {
				others = append(others, to)
			}
		}
	}
	return others
}

// fromUVLock has uv take the packages from its own lock. Those of the workspace, and others whose code lies in the project, are built as wheels of their own.
func fromUVLock(t files.Tree, uv *foundUV, chosen uvChosen, w Wanted) Wanted {
	w.Requires.From = uv.name
	w.Requires.UV = &recipe.UVLock{Files: uv.files, Dir: t.InRoot(path.Dir(w.Requires.Project.File.Path))}
	for i, p := range uv.lock.Packages {
		local, own := p.Source.local()
		dir := t.FromRoot(path.Join(uv.root, local))
		switch {
		case !own && p.Source.Path != "" && len(chosen.on(i)) > 0:
			file := t.FromRoot(path.Join(uv.root, p.Source.Path))
			w = withOwnPackage(t, ownPackage{name: pypi.Normalize(p.Name), dir: file, at: fault.Position{File: uv.name}}, w)
		case !own || t.InRoot(dir) == w.Requires.UV.Dir:
		case p.Source.Virtual != "":
			if AsksFor(w.Direct, pypi.Normalize(p.Name)) {
				t.Notef("%s is code of the project (%s) that is no package, and is not installed: copy it with app.copy", p.Name, dir)
			}
		case len(chosen.on(i)) > 0:
			w = withOwnPackage(t, ownPackage{name: pypi.Normalize(p.Name), dir: dir, editable: p.Source.Editable != "", at: fault.Position{File: uv.name}}, w)
		}
	}
	return w
}

// hasBuild reports whether what is taken of the lock has the build of torch that an accelerator wants on every platform, or no torch at all. Of a project that
// the lock does not know every torch counts, and one of them has to be it.
func (l *uvLock) hasBuild(chosen uvChosen, a recipe.Accelerator) bool {
	some, all := false, true
	for i, p := range l.Packages {
		if p.Name != "torch" || chosen != nil && len(chosen.on(i)) == 0 {
			continue
		}
		fits := fitsAccelerator(p.Version, p.Source.Registry, a)
		some, all = some || fits, all && fits
	}
	return all || chosen == nil && some
}

// fitsAccelerator reports whether a torch of a lock, of which the version or the index names the build, is that of an accelerator.
func fitsAccelerator(version, index string, a recipe.Accelerator) bool {
	_, local, _ := strings.Cut(version, "+")
	tag := path.Base(strings.TrimRight(index, "/"))
	wanted := compat.TorchTag(a)
	if wanted == "" {
		return !otherThanCUDA(local) && !otherThanCUDA(tag)
	}
	return local == wanted || tag == wanted
}

// otherThanCUDA reports whether a tag of PyTorch's builds is not one for CUDA.
func otherThanCUDA(tag string) bool {
	return tag == "cpu" || tag == "xpu" || strings.HasPrefix(tag, "rocm")
}

// pins are the versions of the lock's packages that come from an index. Of packages that the project takes they are the versions that it takes; of others, which
// something beside the project may ask for, those that no marker leaves in doubt.
func (l *uvLock) pins(chosen uvChosen) []lockedPackage {
	taken := map[string][]string{} // platform and name → versions
	for i, p := range l.Packages {
		for _, platform := range chosen.on(i) {
			taken[p.Name] = append(taken[p.Name], platform+" "+p.Version)
		}
	}
	var all []lockedPackage
	for i, p := range l.Packages {
		if p.Source.Registry == "" {
			continue
		}
		locked := lockedPackage{name: pypi.Normalize(p.Name), version: p.Version, sha256: p.sums()}
		switch on := chosen.on(i); {
		case len(on) > 0:
			locked.taken = true
			locked.marker = forkMarker(p, on, taken[p.Name])
		case taken[p.Name] != nil:
			continue // a fork that the project does not take
		case len(p.Markers) > 0:
			locked.marker = "(" + strings.Join(p.Markers, ") or (") + ")"
		}
		all = append(all, locked)
	}
	return alternatives(all)
}

// forkMarker tells a version of a package from the other versions that are taken: by the platforms that it is taken on, or where another is taken on the same by the
// markers of its fork. taken are platforms with versions.
func forkMarker(p uvPackage, on, taken []string) string {
	others := slices.DeleteFunc(slices.Clone(taken), func(other string) bool { return strings.HasSuffix(other, " "+p.Version) })
	same := slices.ContainsFunc(others, func(other string) bool {
		platform, _, _ := strings.Cut(other, " ")
		return slices.Contains(on, platform)
	})
	switch {
	case len(others) == 0:
		return ""
	case same && len(p.Markers) > 0:
		return "(" + strings.Join(p.Markers, ") or (") + ")"
	}
	return machineMarker(on)
}

// machineMarker holds on platforms.
func machineMarker(platforms []string) string {
	var parts []string
	for _, platform := range platforms {
		machine := "x86_64"
		if platform == "linux/arm64" {
			machine = "aarch64"
		}
		parts = append(parts, "platform_machine == '"+machine+"'")
	}
	return strings.Join(parts, " or ")
}

// sums are the hashes of a package's files.
func (p *uvPackage) sums() []string {
	files := p.Wheels
	if p.Sdist != nil {
		files = append(slices.Clone(files), *p.Sdist)
	}
	var sums []string
	for _, f := range files {
		if sum, ok := strings.CutPrefix(f.Hash, "sha256:"); ok {
			sums = append(sums, sum)
		}
	}
	return sums
}

// commits are the packages that the project takes from git, as requirements of the commits that the lock has.
func (l *uvLock) commits(chosen uvChosen) []string {
	var all []string
	for i, p := range l.Packages {
		place, commit, ok := strings.Cut(p.Source.Git, "#")
		if !ok || len(chosen.on(i)) == 0 {
			continue
		}
		place, query, _ := strings.Cut(place, "?")
		text := fmt.Sprintf("%s @ git+%s@%s", p.Name, place, commit)
		if values, err := url.ParseQuery(query); err == nil && values.Get("subdirectory") != "" {
			text += "#subdirectory=" + values.Get("subdirectory")
		}
		all = append(all, text)
	}
	return all
}

// archives are the hashes of what the project takes by its URL.
func (l *uvLock) archives(chosen uvChosen) []hashedLine {
	var all []hashedLine
	for i, p := range l.Packages {
		if sums := p.sums(); p.Source.URL != "" && len(sums) > 0 && len(chosen.on(i)) > 0 {
			all = append(all, hashedLine{name: pypi.Normalize(p.Name), sha256: sums})
		}
	}
	return all
}
