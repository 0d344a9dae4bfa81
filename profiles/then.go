package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// then adds the groups of python.then. What a later group says of a package stands in place of what the groups before it, and the packages
// themselves, say of it: as when one pip install follows another, but for a result that fits together.
func (r *resolver) then() {
	req := &r.recipe.Requires
	for _, step := range r.python.then {
		read := r.reader()
		for _, f := range read.fileList(step.requirements, false) {
			if i := slices.IndexFunc(req.Files, func(g recipe.File) bool { return g.Path == f.Path }); i >= 0 {
				req.Files[i].Top, req.Files[i].Limits = req.Files[i].Top || f.Top, req.Files[i].Limits && f.Limits
				continue
			}
			req.Files = append(req.Files, f)
		}
		for _, s := range step.packages {
			req.Packages = append(req.Packages, s.Value)
			read.item(s)
		}
		r.take(read.asked)
		r.replace(slices.DeleteFunc(slices.Clone(read.direct), func(q requirement) bool { return !q.versioned() }))
	}
}

// overrides reads python.overrides. They ask for no package by themselves.
func (r *resolver) overrides() {
	read := r.reader()
	read.items(r.python.overrides)
	r.takeSources(read.asked)
	r.replace(read.direct)
}

// versioned reports whether a requirement says which version or file it wants.
func (q requirement) versioned() bool { return q.Specifiers != nil || q.URL != "" }

// replace makes requirements the only ones of their packages. Several of one package, under different markers, stand together.
func (r *resolver) replace(wanted []requirement) {
	names := map[string]bool{}
	for _, q := range wanted {
		names[q.Name] = true
	}
	r.replaced = slices.DeleteFunc(r.replaced, func(q requirement) bool { return names[q.Name] })
	r.replaced = append(r.replaced, wanted...)
	r.recipe.Requires.Overrides = nil
	for _, q := range r.replaced {
		r.recipe.Requires.Overrides = append(r.recipe.Requires.Overrides, q.text())
	}
}
