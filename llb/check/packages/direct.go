package packages

import (
	"slices"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// direct returns the packages of which the project says that it uses them. Where it names every one, its list is one that a tool wrote ("pip freeze"), or nobody knows which it names:
// then those count that no other requires. Many packages do without one that they require, and that cannot be imported here: MLflow without GitPython, where there is no git.
func direct(want []check.Package, all []distribution, env func(extra string) *pypi.Environment) []check.Package {
	if slices.ContainsFunc(want, func(p check.Package) bool { return !p.Direct }) {
		return want
	}
	first, required := byName(all), map[string]bool{}
	for _, w := range asked(want, all, env) {
		for _, r := range requirements(first[w.name]) {
			if r.Name != w.name && r.Holds(env(w.extra)) {
				required[r.Name] = true
			}
		}
	}
	named := slices.Clone(want)
	for i, p := range named {
		named[i].Direct = !required[p.Name]
	}
	if !slices.ContainsFunc(named, func(p check.Package) bool { return p.Direct }) { // they require each other
		return want
	}
	return named
}
