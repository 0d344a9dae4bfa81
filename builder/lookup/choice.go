package lookup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Choice is what one platform takes of a lock.
type Choice struct {
	Wheels    []pylock.Wheel      // to be laid down, the project itself with them where it is installed
	Spared    []pylock.Wheel      // which the base makes unnecessary
	CUDA      string              // that the packages are built for, "" = none
	Glibc     string              // of the base that they are chosen for, "" = unknown
	Needs     map[string][]string // package → the packages that it needs, for builds from source; empty where the lock says nothing of that, nil where nothing is built
	Asked     map[string]string   // package that is built → who requires it; nil where nothing is built
	BakeNeeds map[string][]string // package → the packages that it needs, for bake steps that name theirs; nil where none does, or the lock does not say it
	Pruned    []Pruned            // what each rule leaves out; nil = nothing is pruned, or nobody counted
	Notes     []string            // that a user should know
	BaseNotes []string            // of what the base has; they are told after all others
}

// Choose picks the wheels of a recipe from a lock and holds them against the compatibility tables. glibc and base are what the base has. The errors are those of pylock's Restrict and
// Select and of compat.CheckWheels.
func Choose(r *recipe.Recipe, lock *pylock.Lock, glibc string, base Contents) (Choice, error) {
	lock, err := lock.Restrict(allowed(r))
	if err != nil {
		return Choice{}, err
	}
	wheels, err := lock.Select(targetOf(r, glibc, base.FullVersion))
	if err != nil {
		return Choice{}, err
	}
	taken, err := base.taken(r, lock)
	if err != nil {
		return Choice{}, err
	}
	packages := checked(r, wheels, taken)
	notes, err := compat.CheckWheelsOn(r, base.CUDA, packages, lock.PathTo)
	if err != nil {
		return Choice{}, err
	}
	flaws, err := checkLooked(r, lock, wheels)
	if err != nil {
		return Choice{}, err
	}
	pruned, uncounted := countPruned(r.Prune, lock, wheels)
	c := Choice{
		CUDA: compat.Known().Frameworks.CUDA(packages), Glibc: glibc, Pruned: pruned,
		Notes: slices.Concat(notes, sourceNotes(wheels), otherBuilds(r, wheels), flaws, overlapNotes(r, lock, wheels), uncounted),
	}
	c.Wheels, c.Spared, c.BaseNotes = base.subtract(lock, wheels, query.Mentioned(r))
	c.Spared = bySpared(slices.Concat(c.Spared, taken))
	c.Wheels = withProject(r.Builder.Project, c.Wheels)
	if wheelbuild.Any(c.Wheels) {
		c.Needs, c.Asked = buildNeeds(r, lock, c.Wheels), whoAsks(r, lock, c.Wheels)
	}
	c.BakeNeeds = bakeNeeds(r, lock, c.Wheels)
	return c, checkNeeds(r, slices.Concat(c.Wheels, c.Spared))
}

// buildNeeds is what a lock says of who needs whom, and what the project file says of packages that need all others. It is empty where the lock says nothing: builds
// then see all packages, which a few words of the project file must not change.
func buildNeeds(r *recipe.Recipe, lock *pylock.Lock, wheels []pylock.Wheel) map[string][]string {
	needs := lock.Needs()
	if len(needs) == 0 {
		return needs
	}
	return withAllNeeded(r, needs, wheels)
}

// bakeNeeds is the same for bake steps that name the packages that they need. In a lock of mlbuild's own nobody needs another where it says nothing.
func bakeNeeds(r *recipe.Recipe, lock *pylock.Lock, wheels []pylock.Wheel) map[string][]string {
	if !slices.ContainsFunc(r.Bake, func(b recipe.Bake) bool { return b.Needs != nil }) {
		return nil
	}
	needs := lock.Needs()
	if len(needs) == 0 && lock.Tool.Inputs == "" {
		return nil
	}
	return withAllNeeded(r, needs, wheels)
}

// withAllNeeded adds to needs the packages of which the project file says that they need all others.
func withAllNeeded(r *recipe.Recipe, needs map[string][]string, wheels []pylock.Wheel) map[string][]string {
	for _, p := range r.Builder.Packages {
		if p.All {
			needs[p.Name] = packageNames(wheels)
		}
	}
	return needs
}

// packageNames are the names of packages, in their order.
func packageNames(wheels []pylock.Wheel) (names []string) {
	for _, w := range wheels {
		names = append(names, w.Name)
	}
	return names
}

// checkNeeds refuses bake steps that need packages which the image has not, each with fault.Spec.
func checkNeeds(r *recipe.Recipe, packages []pylock.Wheel) error {
	var faults fault.List
	for _, b := range r.Bake {
		for _, name := range b.Needs {
			if !slices.ContainsFunc(packages, func(w pylock.Wheel) bool { return w.Name == name }) {
				faults = append(faults, fault.New(fault.Spec, "the bake step %s needs %s, which is no package of the image", b.Name, name).
					Hint("packages that a step needs stand among the project's requirements, or are required by one of these"))
			}
		}
	}
	return faults.Err()
}

// checked are the packages that are held against the tables. In a profile for CPU those of the base are not: whoever names the base chose them.
func checked(r *recipe.Recipe, wheels, taken []pylock.Wheel) []compat.Package {
	var all []compat.Package
	for _, w := range wheels {
		all = append(all, compat.Package{Name: w.Name, Version: w.Version})
	}
	for _, w := range taken {
		if r.Accelerator.Kind == recipe.CUDA {
			all = append(all, compat.Package{Name: w.Name, Version: w.Version})
		}
	}
	return all
}

// AllNotes are the notes of the choice in the order in which they are told.
func (c Choice) AllNotes() []string { return slices.Concat(c.Notes, c.BaseNotes) }

// targetOf is what a recipe's wheels are picked for; full is the whole version of the image's Python, "" = unknown.
func targetOf(r *recipe.Recipe, glibc, full string) pypi.Target {
	return pypi.Target{
		Python: cmp.Or(full, r.Python.Version), Platform: r.Platform, Glibc: glibc, Source: r.Requires.Source, NoBuild: r.Requires.NeverBuilt(),
		Extras: r.Requires.Extras, Groups: r.Requires.Groups,
	}
}

// withProject returns the wheels with the project itself, where it is installed.
func withProject(p *recipe.LocalSource, wheels []pylock.Wheel) []pylock.Wheel {
	if p == nil {
		return wheels
	}
	own := pylock.Wheel{Name: p.Name, Version: p.Version, Why: "it is the project itself", Source: &pylock.Source{Type: pylock.Directory, Path: p.Path}}
	return append(slices.DeleteFunc(slices.Clone(wheels), func(w pylock.Wheel) bool { return w.Name == p.Name }), own)
}

// sourceNotes names the packages that are compiled because an index has no wheel of them, and those that a lock wants as links to their files.
func sourceNotes(wheels []pylock.Wheel) []string {
	var notes []string
	for _, w := range wheels {
		switch {
		case w.Source == nil:
		case w.Source.Type == pylock.Archive && !w.Direct:
			notes = append(notes, fmt.Sprintf("%s is built from source: %s", w.Label(), w.Why))
		case w.Source.Editable:
			notes = append(notes, fmt.Sprintf("%s (%s) is installed as a wheel of its own, not as a link to its files", w.Label(), w.Source.Path))
		}
	}
	return notes
}

// allowed are the hashes that the project's requirements files name.
func allowed(r *recipe.Recipe) []pylock.Allowed {
	var all []pylock.Allowed
	for _, h := range r.Requires.Hashes {
		all = append(all, pylock.Allowed{Name: h.Name, Version: h.Version, SHA256: h.SHA256})
	}
	return all
}

// otherBuilds names packages that come as another build than the one whose hashes the requirements name: torch 2.9.1+cpu for torch 2.9.1.
func otherBuilds(r *recipe.Recipe, wheels []pylock.Wheel) []string {
	var notes []string
	for _, w := range wheels {
		release, local, _ := strings.Cut(w.Version, "+")
		if local != "" && slices.ContainsFunc(r.Requires.Hashes, func(h recipe.PinnedHashes) bool { return h.Name == w.Name && h.Version == release }) {
			notes = append(notes, fmt.Sprintf("the hashes that the requirements name for %s %s are not those of %s, which the profile takes; its own come from its index", w.Name, release, w.Version))
		}
	}
	return notes
}
