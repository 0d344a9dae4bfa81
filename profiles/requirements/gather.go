package requirements

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Wanted is what a project wants of its packages. It is made in steps: each takes what was wanted before it and returns another.
type Wanted struct {
	Requires recipe.Requirements // as the recipe has it
	Direct   []Requirement       // what is asked for by name, in order
	Torch    TorchLine           // the index of PyTorch that the project's files name

	replaced []Requirement // python.then and python.overrides, the last of each package
	hashed   []hashedLine  // requirements with hashes
	indexes  []indexLine   // options of requirements files that name indexes
	noIndex  bool          // one of them wants nothing of any index
	uv       *foundUV      // the project's uv.lock, nil = none is used
	poetry   *foundPoetry  // its poetry.lock
}

// Question is what a project's requirements are gathered by.
type Question struct {
	files.Tree
	Python  Spec       // with the inputs that were chosen
	Py      *Pyproject // nil = the project has none
	Profile string     // its name, which the lock's name has
}

// Gather reads what the project asks for, before it is known for which accelerator. Faults and notes go to the report of q.
func Gather(q Question) Wanted {
	p := q.Python
	read := newReader(q.Tree, p.indexes)
	var w Wanted
	w.Requires.Lock = "pylock." + q.Profile + ".toml"
	w.Requires.Allow, w.Requires.Last, w.Requires.StrictWheels = allowed(p.allow), namesInOrder(p.last), p.strictWheels
	w.Requires.Files = read.fileList(p.requirements, false)
	w.Requires.Constraints = read.fileList(p.constraints, true)
	w.Requires.Packages = read.packages(p.packages)
	read.wheelhouses(p.findLinks)
	w = withSteps(q.Tree, p, w.with(read.Asked))
	w = withOverrides(q.Tree, p, w)
	w.Requires.NoDeps = normalizedNames(p.noDeps)
	if p.Project.Set {
		source, asked := projectSource(q.Tree, p, q.Py)
		w.Requires.Project = source
		w = w.with(asked)
	} else if len(p.extras)+len(p.groups) > 0 && !p.lock.Set {
		f := q.Specf(p.At, "python.extras and python.groups need python.project")
		if !q.Py.HasProject() && bySetup(q.Tree) {
			f.Hint("extras of setup.py go with the project itself: python: {packages: [\".[%s]\"]}", strings.Join(yamldoc.Values(p.extras), ","))
		} else {
			f.Hint("write project: . beside them")
		}
	}
	w = withForeignLock(q.Tree, p, q.Py, w)
	w = withUVPlaces(q.Tree, p.indexes, q.settings(), w)
	from := gatherOrigins(q.Report, p, w.indexes, w.project(q.Py), w.poetry)
	w.Requires.Indexes, w.Requires.FindLinks, w.Torch = from.indexes, from.findLinks, from.torch
	w.Requires.Strategy = resolveStrategy(q.Report, p.strategy)
	w.Requires.Cooldown, w.Requires.Fresh = resolveCooldown(q.Report, p.cooldown, p.fresh)
	w.Requires.Cooldown = cmp.Or(w.Requires.Cooldown, excludeNewer(q.Report, p))
	w.Requires.Prerelease, w.Requires.Resolution = oneOf(q.Report, p.prerelease, prereleases), oneOf(q.Report, p.resolution, resolutions)
	w.Requires.Hashes = pinnedHashes(w.hashed)
	w.Requires.Places = placesOf(slices.Concat(w.Direct, w.replaced))
	return w
}

// placesOf are the places of requirements by their texts.
func placesOf(list []Requirement) map[string]fault.Position {
	places := map[string]fault.Position{}
	for _, q := range list {
		places[q.Text] = q.At
	}
	return places
}

// settings are those of uv that count: with requirements files alone, what uv pip obeys.
func (q Question) settings() uvSettings { return settingsOf(q.Tree, q.Py, !q.Python.Project.Set) }

// with adds what was read to what the runtime asks for.
func (w Wanted) with(a Asked) Wanted {
	w.noIndex = w.noIndex || a.noIndex
	w.Direct, w.hashed, w.indexes = slices.Concat(w.Direct, a.Direct), slices.Concat(w.hashed, a.hashed), slices.Concat(w.indexes, a.indexes)
	w.Requires = WithSources(w.Requires, a)
	return w
}

// project returns py if its dependencies are wanted, else nil.
func (w Wanted) project(py *Pyproject) *Pyproject {
	if w.Requires.Project == nil {
		return nil
	}
	return py
}

// BuildConstraints reads python.build_constraints and those of uv's settings, which limit what builds from source choose. It returns the files, and what they
// say.
func BuildConstraints(t files.Tree, p Spec, py *Pyproject) ([]recipe.File, Asked) {
	read := newReader(t, p.indexes)
	list := append(read.fileList(p.buildConstraints, true), uvBuildConstraints(t, settingsOf(t, py, !p.Project.Set))...)
	return list, read.Asked
}

// WithSources adds what was read of packages that are built here. They are the same for the runtime and for every stage.
func WithSources(req recipe.Requirements, list ...Asked) recipe.Requirements {
	for _, a := range list {
		req.Source, req.Local = slices.Concat(req.Source, a.source), slices.Concat(req.Local, a.local)
	}
	return req
}
