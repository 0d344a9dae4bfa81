package wheelbuild

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// howOf returns the way in which the project file wants a package built.
func howOf(packages []recipe.PackageBuild, name string) recipe.PackageBuild {
	if i := slices.IndexFunc(packages, func(p recipe.PackageBuild) bool { return p.Name == name }); i >= 0 {
		return packages[i]
	}
	return recipe.PackageBuild{Name: name}
}

// closure is the locked packages that a build requires, with what they need, in the order of packages. needs is as in Inputs.
func closure(how recipe.PackageBuild, packages []pylock.Wheel, needs map[string][]string) []pylock.Wheel {
	wanted, known := withNeeds(requiredBy(how), needs), len(needs) > 0
	return slices.DeleteFunc(slices.Clone(packages), func(w pylock.Wheel) bool {
		return !wanted[w.Name] && (known || w.Source != nil)
	})
}

// withNeeds is packages with all that they need, as far as the lock says it.
func withNeeds(packages []string, needs map[string][]string) map[string]bool {
	found := map[string]bool{}
	for queue := slices.Clone(packages); len(queue) > 0; queue = queue[1:] {
		if name := queue[0]; !found[name] {
			found[name] = true
			queue = append(queue, needs[name]...)
		}
	}
	return found
}

// requiredBy names the packages that a build requires itself.
func requiredBy(how recipe.PackageBuild) []string {
	var names []string
	for _, r := range how.Requires {
		if q, err := pypi.ParseRequirement(r); !errors.Is(err, pypi.ErrNoRequirement) {
			names = append(names, q.Name)
		}
	}
	return names
}

// checkRequired refuses a build that requires a package whose own build waits for it, or another version of one than the image has: it would be given that one.
func checkRequired(how recipe.PackageBuild, packages []pylock.Wheel, chain []string) error {
	if slices.ContainsFunc(requiredBy(how), func(name string) bool { return slices.Contains(chain, name) }) {
		return fault.New(fault.Spec, "the builds of %s need each other", strings.Join(chain, " and ")).
			Hint("look at isolation: false and requires of these packages in python.build")
	}
	for _, r := range how.Requires {
		q, err := pypi.ParseRequirement(r)
		if err != nil {
			continue // the build's own installer says what is wrong with it
		}
		for _, w := range packages {
			if v, err := pypi.ParseVersion(w.Version); w.Name == q.Name && err == nil && !q.Specifiers.Admit(v) {
				return fault.New(fault.Resolve, "the build of %s requires %s, and the image has %s, which its build would be given", how.Name, r, w.Label()).
					Hint("change python.build.%s.requires, or ask for a version of %s that both can use", how.Name, w.Name)
			}
		}
	}
	return nil
}

// beside names the packages that are there whenever a package is imported, sorted: those that it needs, or all where the lock does not say it.
func beside(w pylock.Wheel, packages []pylock.Wheel, in Inputs) []string {
	if _, locked := in.Asked[w.Name]; locked && len(in.Needs) > 0 {
		return slices.Sorted(maps.Keys(withNeeds(in.Needs[w.Name], in.Needs)))
	}
	var names []string
	for _, other := range packages {
		if other.Name != w.Name {
			names = append(names, other.Name)
		}
	}
	slices.Sort(names)
	return names
}
