package profiles

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// steps adds the groups of python.then. What a later group says of a package stands in place of what the groups before it, and the packages
// themselves, say of it: as when one pip install follows another, but for a result that fits together.
func (r *resolver) steps() {
	req := &r.recipe.Requires
	for _, step := range r.spec.python.then {
		before := len(r.direct)
		for _, f := range r.readRequirements(step.requirements, false) {
			if i := slices.IndexFunc(req.Files, func(g recipe.File) bool { return g.Path == f.Path }); i >= 0 {
				req.Files[i].Top = req.Files[i].Top || f.Top
				continue
			}
			req.Files = append(req.Files, f)
		}
		for _, s := range step.packages {
			req.Packages = append(req.Packages, s.Value)
			r.requirementLine(s.Value, s.At)
		}
		r.replace(slices.DeleteFunc(slices.Clone(r.direct[before:]), func(q requirement) bool { return !q.versioned() }))
	}
}

// overrides reads python.overrides. They ask for no package by themselves.
func (r *resolver) overrides() {
	before := len(r.direct)
	for _, s := range r.spec.python.overrides {
		r.requirementLine(s.Value, s.At)
	}
	wanted := slices.Clone(r.direct[before:])
	r.direct = r.direct[:before]
	r.replace(wanted)
}

// versioned tells whether a requirement says which version or file it wants.
func (q requirement) versioned() bool {
	return q.rest != "" && strings.ContainsAny(q.rest[:1], "=<>!~@(")
}

// replace makes requirements the only ones of their packages. Several of one package, under different markers, stand together.
func (r *resolver) replace(wanted []requirement) {
	names := map[string]bool{}
	for _, q := range wanted {
		names[q.name] = true
	}
	r.replaced = slices.DeleteFunc(r.replaced, func(q requirement) bool { return names[q.name] })
	r.replaced = append(r.replaced, wanted...)
	r.recipe.Requires.Overrides = nil
	for _, q := range r.replaced {
		r.recipe.Requires.Overrides = append(r.recipe.Requires.Overrides, q.text())
	}
}
