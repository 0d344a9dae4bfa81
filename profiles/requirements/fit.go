package requirements

import (
	"cmp"
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

// FitQuestion is what requirements are taken to an accelerator by.
type FitQuestion struct {
	files.Tree
	Python       Spec       // with the inputs that were chosen
	Py           *Pyproject // nil = the project has none
	Names        NamesQuestion
	Python3      string         // the version of Python that the packages are for: "3.11"
	PyTorchIndex yamldoc.String // the root of a mirror of PyTorch's indexes, not set = theirs
	CUDA         yamldoc.String // accelerator.cuda as the project names it
}

// Fit takes the requirements to the accelerator: the names of frameworks, the locks of other tools, and the index of PyTorch. It returns what is
// wanted then; faults and notes go to the report of q.
func Fit(q FitQuestion, w Wanted) Wanted {
	a, py := q.Names.Accelerator, w.project(q.Py)
	w.Requires.Rename = w.renames(q.Names)
	settings := settingsOf(q.Tree, q.Py, !q.Python.Project.Set)
	settings.checkEnvironments(q.Report, py.Name(), q.Names.Platform, q.Python3, w.Requires.Project)
	checkUVTOML(q.Report, settings)
	settings.noteElsewhere(q.Report)
	if w.uv == nil {
		settings.noteAbove(q.Tree)
	}
	kept := ""
	var chosen uvChosen
	if w.uv != nil {
		chosen = w.uv.chosen(q.Tree, w.Requires.Project, q.Python3)
		if kept = keptVersions(w.uv, chosen, w.Requires, q.Names, q.PyTorchIndex); kept == "" {
			w = fromUVLock(q.Tree, w.uv, chosen, w)
		} else {
			q.Notef("the versions of %s are kept, packages are chosen anew: %s", w.uv.name, kept)
		}
	}
	if w.Requires.From == "" {
		w = withUVSettings(q.Tree, q.Python.indexes, settings, w)
		w.Requires.Rename = w.renames(q.Names)
		w.Requires.Torch, w.Requires.Indexes = bindTorch(q, a, w)
	}
	switch {
	case kept != "":
		l := w.uv.lock
		w = w.pinned(otherLock{w.uv.name, l.pins(chosen), l.commits(chosen), l.archives(chosen), l.hasBuild(chosen, a)}, q.Names)
	case w.poetry != nil:
		l := w.poetry.lock
		w = w.pinned(otherLock{w.poetry.name, l.pins(q.Python3), l.commits(), l.archives(), l.hasBuild(a)}, q.Names)
	}
	w = withUVBuilds(q.Report, settings, w)
	if py != nil {
		var own []ownPackage
		var bound []string
		if w.Requires.UV == nil {
			space := findWorkspace(q.Tree, path.Dir(py.path))
			counts := countsOn(q.Names.Platform, q.Python3)
			own = ownOf(q.Tree, space, py, w.Direct, counts)
			w, bound = withOwn(q.Tree, space, own, w, counts)
		}
		project := *w.Requires.Project
		project.File.Data = projectText(q.Report, py, q.Above.Names(), own, bound, w.Requires.Torch != "" || a.Kind == recipe.CUDA && w.Torch.Tag == "cpu")
		w.Requires.Project = &project
	}
	return w
}

// bindTorch binds torch and its family to an index of PyTorch: cpu, or the one of the wanted CUDA. Without a
// version the default index's own CUDA builds serve. It returns the name of that index, "" = not bound, and all indexes.
func bindTorch(q FitQuestion, a recipe.Accelerator, w Wanted) (torch string, indexes []recipe.Index) {
	tag := compat.TorchTag(a)
	indexes = w.Requires.Indexes
	if w.noIndex {
		return "", indexes // what lies in the project's directories is the build
	}
	if tag == "" || a.Kind == recipe.CUDA && !knownTag(q.Report, tag, q.CUDA.At, AsksFor(w.Direct, "torch")) {
		return "", indexes
	}
	if i := slices.IndexFunc(indexes, func(i recipe.Index) bool { return slices.Contains(i.Packages, "torch") }); i >= 0 {
		return indexes[i].Name, indexes // the project binds torch itself
	}
	name := "pytorch-" + tag
	if slices.ContainsFunc(indexes, func(i recipe.Index) bool { return i.Name == name }) {
		return name, indexes // the project has its own index of this name
	}
	root := strings.TrimRight(q.PyTorchIndex.Or(cmp.Or(w.Torch.Root, compat.Torch().Index.URL)), "/")
	q.Report.CheckURL(yamldoc.String{Value: root, At: q.PyTorchIndex.At, Set: true}, "pytorch_index")
	return name, append(indexes, recipe.Index{Name: name, URL: root + "/" + tag})
}

// knownTag reports whether some torch has an index of the CUDA tag. A tag beyond the table is believed with a
// note; one in between is an error at accelerator.cuda if torch is asked for, and no reason to bind it otherwise.
func knownTag(report *yamldoc.Report, tag string, at fault.Position, asked bool) bool {
	tags := compat.Torch().Tags()
	if slices.Contains(tags, tag) {
		return true
	}
	wanted := compat.CUDAOfTag(tag)
	if compat.CompareVersions(wanted, compat.CUDAOfTag(tags[len(tags)-1])) > 0 {
		report.Notef("CUDA %s is newer than the tables of this mlbuild (%s), which cannot check it", wanted, compat.Known().AsOf)
		return true
	}
	if !asked {
		report.Notef("no torch was ever built for CUDA %s; only the CUDA major is held for the other frameworks", wanted)
		return false
	}
	report.Add(fault.New(fault.Cuda, "no torch was ever built for CUDA %s", wanted).In(at).
		Hint("nearest: %s", strings.Join(nearestCUDA(wanted, tags), ", ")))
	return false
}

// nearestCUDA returns up to two versions below and two above the wanted one.
func nearestCUDA(wanted string, tags []string) []string {
	i, _ := slices.BinarySearchFunc(tags, wanted, func(tag, w string) int { return compat.CompareVersions(compat.CUDAOfTag(tag), w) })
	var near []string
	for _, tag := range tags[max(0, i-2):min(len(tags), i+2)] {
		near = append(near, compat.CUDAOfTag(tag))
	}
	return near
}

// NamesQuestion is what the names of frameworks are decided by.
type NamesQuestion struct {
	Accelerator recipe.Accelerator
	Platform    string          // "linux/amd64"
	Base        recipe.BaseKind // base.kind as the project names it
	Allowed     []string        // packages that the project wants as they are
}

// renames returns the names for this accelerator of all frameworks that the project names. What it only limits or overrides, and what asks for no package by
// itself, has another name where the package that others want has it too: everywhere in a profile for CPU, else for a framework that the project asks for.
func (w Wanted) renames(names NamesQuestion) map[string]string {
	asked := slices.Clone(w.Direct)
	for _, q := range slices.Concat(w.limits(), w.replaced) {
		if q.URL == "" && (names.Accelerator.Kind != recipe.CUDA || AsksFor(w.Direct, compat.NamesOf(q.Name)...)) && !AsksFor(asked, q.Name) {
			asked = append(asked, q)
		}
	}
	return renames(asked, names)
}

// limits are the constraints.
func (w Wanted) limits() []Requirement {
	var all []Requirement
	for _, f := range slices.Concat(w.Requires.Files, w.Requires.Constraints) {
		if !f.Limits && slices.ContainsFunc(w.Requires.Files, func(g recipe.File) bool { return g.Path == f.Path }) {
			continue
		}
		for _, l := range pypi.ParseLines(f.Data) {
			if l.Required.Name != "" {
				all = append(all, Requirement{Requirement: l.Required})
			}
		}
	}
	return all
}

// otherName is the package that the accelerator has in the place of one of a lock on a platform; "" where that is the package itself, or the project wants it
// as it is.
func otherName(name, version string, names NamesQuestion, platform string) string {
	f := compat.Known().Frameworks.Of(name)
	if f == nil || slices.Contains(names.Allowed, name) || names.Base == recipe.BaseTensorFlow && f.Name == "tensorflow" {
		return ""
	}
	return f.In(name, version, names.Accelerator, platform)
}

// renames returns the names for this accelerator of frameworks that have one package for each; nil for none of them.
func renames(direct []Requirement, names NamesQuestion) map[string]string {
	found := map[string]string{}
	for _, q := range direct {
		f := compat.Known().Frameworks.Of(q.Name)
		if f == nil || slices.Contains(names.Allowed, q.Name) {
			continue
		}
		if names.Base == recipe.BaseTensorFlow && f.Name == "tensorflow" {
			continue // it is in the base, under the name that it has there
		}
		to := f.PackageFor(q.Name, q.ExtrasText(), names.Accelerator, names.Platform)
		if other, _, _ := strings.Cut(to, "["); to != q.Name+q.ExtrasText() && (other != f.Names.CPU || reaches(q.Specifiers, f.Names.CPUSince)) {
			found[q.Name] = to
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// reaches reports whether specifiers admit a version that is not below another; "" is below all.
func reaches(specifiers pypi.Specifiers, since string) bool {
	floor, err := pypi.ParseVersion(since)
	if err != nil {
		return true
	}
	candidates := []pypi.Version{floor}
	for _, text := range append(strings.Split(specifiers.String(), ","), ">=99999") {
		if v, err := pypi.ParseVersion(strings.TrimSuffix(strings.TrimLeft(text, "<>=!~"), ".*")); err == nil && v.Compare(floor) >= 0 {
			candidates = append(candidates, v)
		}
	}
	return slices.ContainsFunc(candidates, specifiers.Admit)
}
