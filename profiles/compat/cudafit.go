package compat

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// bringer says which package brings the one CUDA of the wheels, a framework rather than a library, and by which path it came: "torch 2.9.1+cu128 brings it (app → torch)".
func (c *wheelCheck) bringer(brings []Package) string {
	w := brings[0]
	if i := slices.IndexFunc(brings, func(w Package) bool { return c.table.Of(w.Name) != nil }); i >= 0 {
		w = brings[i]
	}
	chain := c.path(w.Name)
	culprit := culpritOf(chain)
	named := culprit
	if i := slices.IndexFunc(c.wheels, func(w Package) bool { return w.Name == culprit }); i >= 0 {
		named += " " + c.wheels[i].Version
	}
	if len(chain) < 2 {
		return named + " brings it"
	}
	return fmt.Sprintf("%s brings it (%s)", named, strings.Join(chain, " → "))
}

// hintReleases adds to a fault which releases of the frameworks among the wheels were built for a CUDA, "12.6", or a major of it, "12"; of those whose version was not.
func (c *wheelCheck) hintReleases(found *fault.Fault, cuda string) {
	seen := map[string]bool{}
	for _, w := range c.wheels {
		f := c.table.Of(w.Name)
		if f == nil || seen[f.Name] || f.Release(w.Version) == nil || f.Release(w.Version).isFor(cuda) {
			continue
		}
		seen[f.Name] = true
		var fits []string
		for _, row := range f.Releases {
			if row.isFor(cuda) && inRange(c.recipe.Python.Version, row.Python) {
				fits = append(fits, row.Version)
			}
		}
		if len(fits) > 0 {
			found.Hint("CUDA %s with Python %s exists for %s %s", cuda, c.recipe.Python.Version, f.Name, strings.Join(fits, ", "))
		} else {
			found.Hint("no %s that this mlbuild knows (%s) was built for CUDA %s and Python %s", f.Name, Known().AsOf, cuda, c.recipe.Python.Version)
		}
	}
}

// isFor reports whether a release was built for a CUDA. Of one that has a single build only the major counts, and so it does where a major alone is asked for.
func (r *Release) isFor(cuda string) bool {
	if len(r.Builds) > 0 && strings.Contains(cuda, ".") {
		return slices.Contains(r.Builds, CUDATag(cuda))
	}
	return slices.ContainsFunc(r.cudas(), func(has string) bool { return has != "" && MajorOf(has) == MajorOf(cuda) })
}

// hintBuilds adds to a fault for which CUDAs the wheels' versions of frameworks exist.
func (c *wheelCheck) hintBuilds(found *fault.Fault) {
	for _, w := range c.wheels {
		if known := c.table.Of(w.Name); known != nil && known.CUDAInVersion && known.Release(w.Version) != nil {
			row := known.Release(w.Version)
			found.Hint("%s %s exists for CUDA %s", known.Name, row.Version, strings.Join(row.cudas(), ", "))
		}
	}
}

// hintMajors adds to a fault of several majors what would bring all frameworks to each of them.
func (c *wheelCheck) hintMajors(found *fault.Fault, majors map[string][]Package) {
	c.hintBuilds(found)
	for _, major := range slices.Sorted(maps.Keys(majors)) {
		c.hintReleases(found, major)
	}
}
