package requirements

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// withSteps adds the groups of python.then. What a later group says of a package stands in place of what the groups before it, and the packages
// themselves, say of it: as when one pip install follows another, but for a result that fits together.
func withSteps(t files.Tree, p Spec, w Wanted) Wanted {
	for _, step := range p.then {
		read := newReader(t, p.indexes)
		w.Requires.Files = withFiles(w.Requires.Files, read.fileList(step.requirements, false))
		w.Requires.Packages = append(w.Requires.Packages, read.packages(step.packages)...)
		w = w.with(read.Asked)
		w = w.replacing(slices.DeleteFunc(slices.Concat(read.Direct, read.placed), func(q Requirement) bool { return !q.versioned() }))
	}
	return w
}

// withFiles adds requirements files, each once.
func withFiles(files, more []recipe.File) []recipe.File {
	all := slices.Clone(files)
	for _, f := range more {
		if i := slices.IndexFunc(all, func(g recipe.File) bool { return g.Path == f.Path }); i >= 0 {
			all[i].Top, all[i].Limits = all[i].Top || f.Top, all[i].Limits && f.Limits
			continue
		}
		all = append(all, f)
	}
	return all
}

// withOverrides reads python.overrides. They ask for no package by themselves.
func withOverrides(t files.Tree, p Spec, w Wanted) Wanted {
	read := newReader(t, p.indexes)
	read.items(p.overrides)
	w.Requires = WithSources(w.Requires, read.Asked)
	return w.replacing(slices.Concat(read.Direct, read.placed))
}

// versioned reports whether a requirement says which version or file it wants.
func (q Requirement) versioned() bool { return q.Specifiers != nil || q.URL != "" }

// replacing makes requirements the only ones of their packages. Several of one package, under different markers, stand together.
func (w Wanted) replacing(list []Requirement) Wanted {
	names := map[string]bool{}
	for _, q := range list {
		names[q.Name] = true
	}
	w.replaced = slices.DeleteFunc(slices.Clone(w.replaced), func(q Requirement) bool { return names[q.Name] })
	w.replaced = append(w.replaced, list...)
	w.Requires.Overrides = nil
	for _, q := range w.replaced {
		w.Requires.Overrides = append(w.Requires.Overrides, q.text())
	}
	return w
}
