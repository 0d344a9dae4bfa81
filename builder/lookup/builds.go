package lookup

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// withBuilds returns the question with the packages of its answer in whose place the accelerator has others, beside those that were found before, and the
// limits that the chosen packages set to their versions. more is false where nothing is new.
func (u UV) withBuilds(ctx context.Context, q UVQuery, in query.ResolveInputs, lock *pylock.Lock) (next query.ResolveInputs, more bool, err error) {
	found := otherNames(q, lock)
	if len(found)+len(in.Replaced) == 0 {
		return in, false, nil
	}
	in.Replaced = slices.Clone(in.Replaced)
	for _, p := range found {
		if !slices.ContainsFunc(in.Replaced, func(known query.Replaced) bool { return known.Name == p.Name }) {
			in.Replaced, more = append(in.Replaced, p), true
		}
	}
	seen, err := u.inspect(ctx, q, in, lock)
	if err != nil {
		return in, false, err
	}
	for _, limit := range limitsOf(q, in.Replaced, seen.Requires) {
		if !strings.Contains("\n"+in.Keep, "\n"+limit+"\n") {
			in.Keep, more = in.Keep+limit+"\n", true
		}
	}
	return in, more, nil
}

// otherNames are the packages of an answer in whose place the accelerator has others of the same framework. In a profile for CPU that is all of them. In one
// for CUDA it is those whose other is there as well: a package that computes on the CPU for another's own work stays. What comes by a URL, lies in the base,
// or is allowed as it is stays too.
func otherNames(q UVQuery, lock *pylock.Lock) []query.Replaced {
	r := q.Recipe
	var all []query.Replaced
	has := map[string]bool{}
	for _, p := range lock.Packages {
		has[p.Name] = true
	}
	for _, p := range lock.Packages {
		f := compat.Known().Frameworks.Of(p.Name)
		if f == nil || stays(q, f, p) {
			continue
		}
		other := query.Replaced{Name: p.Name, Who: lock.Tool.Via[p.Name]}
		for _, platform := range q.Platforms {
			env := pypi.NewEnvironment(pypi.Target{Python: r.Python.Version, Platform: platform}, q.fullPython(), nil)
			to := f.In(p.Name, p.Version, r.Accelerator, platform)
			if bare, _, _ := strings.Cut(to, "["); to != "" && holds(p.Marker, env) && (r.Accelerator.Kind != recipe.CUDA || has[bare]) {
				other.By, other.On = to, append(other.On, platform)
			}
		}
		if len(other.On) == len(q.Platforms) {
			other.On = nil
		}
		if other.By != "" && !slices.ContainsFunc(all, func(p query.Replaced) bool { return p.Name == other.Name }) {
			all = append(all, other)
		}
	}
	return all
}

// stays reports whether a package of a framework is wanted as it is.
func stays(q UVQuery, f *compat.Framework, p pylock.Package) bool {
	r := q.Recipe
	return slices.Contains(r.Requires.Allow, p.Name) || p.Archive != nil || p.VCS != nil || p.Directory != nil ||
		slices.ContainsFunc(p.Wheels, func(w pylock.File) bool { return w.Direct || w.Path != "" }) ||
		r.Base.Kind == recipe.BaseTensorFlow && f.Name == "tensorflow" ||
		slices.ContainsFunc(q.InBase, func(b query.Installed) bool { return compat.SameProject(b.Name, p.Name) })
}

// holds reports whether a marker of a lock, which was parsed once, holds.
func holds(marker string, env *pypi.Environment) bool {
	m, err := pypi.ParseMarker(marker)
	return err == nil && m.Holds(env)
}

// extraName finds the extra that a requirement of a wheel belongs to.
var extraName = lazyregexp.New(`extra\s*==\s*['"]([^'"]+)['"]`)

// limitsOf writes what wheels require of packages that were replaced as constraints of those in their place, sorted. An override stands in place of all of
// them.
func limitsOf(question UVQuery, replaced []query.Replaced, requires map[string][]string) []string {
	var limits []string
	r := question.Recipe
	for _, p := range replaced {
		name, _, _ := strings.Cut(p.By, "[")
		if slices.ContainsFunc(r.Requires.Replacing(), func(a recipe.Asked) bool { return query.NameFor(r, a.Name) == name }) {
			continue
		}
		for _, wheel := range slices.Sorted(maps.Keys(requires)) {
			for _, q := range requiredOf(question, p, wheel, requires[wheel]) {
				if len(q.Specifiers) > 0 {
					limits = append(limits, name+q.Specifiers.String())
				}
			}
		}
	}
	return recipe.SortedUnique(limits)
}

// requiredOf returns the requirements of a wheel for a package that was replaced: those that always count, else, where it required the package when that was
// still there, those of its extras, of which one must have been asked for.
func requiredOf(question UVQuery, p query.Replaced, wheel string, lines []string) []pypi.Requirement {
	var always, extras []pypi.Requirement
	for _, text := range lines {
		q, err := pypi.ParseRequirement(text)
		if err != nil || q.Name != p.Name {
			continue
		}
		target := pypi.Target{Python: question.Recipe.Python.Version, Platform: question.Recipe.Platform}
		m := extraName.FindStringSubmatch(text)
		if m != nil {
			target.Extras = []string{m[1]}
		}
		switch counts := q.Holds(pypi.NewEnvironment(target, question.fullPython(), nil)); {
		case counts && m == nil:
			always = append(always, q)
		case counts:
			extras = append(extras, q)
		}
	}
	if len(always) == 0 && slices.Contains(p.Who, wheel) {
		return extras
	}
	return always
}

// fullPython is the whole version of the image's Python, the first patch release where nobody knows it.
func (q UVQuery) fullPython() string { return cmp.Or(q.Python, q.Recipe.Python.Version+".0") }
