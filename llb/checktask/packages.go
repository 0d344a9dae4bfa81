package checktask

import (
	"slices"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Packages is what mlbuild-check is told about the packages of an image: the wheels that it gets, and the version of the CUDA that they bring, "" = none, or unknown. Only with project is it told
// what the project's own files and the image's configuration want of them.
func Packages(r *recipe.Recipe, wheels []pylock.Wheel, cuda string, project bool) check.Packages {
	c := r.Checks
	q := check.Packages{
		Root: "/", Python: wheel.Venv + "/bin/python", GPU: r.Accelerator.Kind != recipe.NoAccelerator, Skip: c.Skip, Lacking: c.Lacking, Timeout: c.Timeout, Memory: c.Memory,
		Frameworks: promises(r, cuda), Unmet: overridden(r), Loose: loose(r),
	}
	for _, w := range wheels {
		q.Installed = append(q.Installed, check.Package{Name: w.Name, Version: w.Version, Direct: len(c.Direct) == 0 || slices.Contains(c.Direct, w.Name), Extras: c.Extras[w.Name]})
	}
	if project {
		for _, m := range c.Modules {
			q.Modules = append(q.Modules, check.Module{Name: m.Name, File: m.File, Line: m.Line})
		}
		for _, p := range c.Programs {
			q.Programs = append(q.Programs, check.Program{Name: p.Name, Dir: r.App.Workdir, For: p.For})
		}
	}
	return q
}

// promises are what a profile promises of frameworks.
func promises(r *recipe.Recipe, cuda string) (all []check.Framework) {
	want := map[recipe.AcceleratorKind]string{
		recipe.NoAccelerator: "cpu", recipe.CUDA: "cuda", recipe.ROCm: "rocm", recipe.XPU: "xpu",
	}[r.Accelerator.Kind]
	for _, name := range check.Frameworks {
		f := check.Framework{Name: name, Want: want}
		if name == "torch" && want == "cuda" {
			f.CUDA = cuda
		}
		all = append(all, f)
	}
	return all
}

// overridden lists the packages in whose place the project wants others than are required.
func overridden(r *recipe.Recipe) (names []string) {
	for _, l := range r.Requires.OverrideLines {
		if l.Required.Name != "" {
			names = append(names, l.Required.Name)
		}
	}
	return recipe.SortedUnique(names)
}

// loose lists the packages that the project wants without what they require, or with requirements of its own saying.
func loose(r *recipe.Recipe) (names []string) {
	names = append(names, r.Requires.NoDeps...)
	for _, m := range r.Requires.Metadata {
		names = append(names, pypi.Normalize(m.Name))
	}
	return recipe.SortedUnique(names)
}
