package compat

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// LibrariesOf maps packages to the Debian packages that they load or run and do not bring.
func (t *Tables) LibrariesOf() map[string][]string {
	all := t.Frameworks.Libraries()
	maps.Copy(all, t.Libraries)
	return all
}

// LibraryNotes name the Debian packages that Python packages of an image load or run and that it does not have: an import would fail, or a call. has are the Debian
// packages that it gets. Only bases of which that is known count, and nothing is said of what a step of the project, or what it copies of another image, names.
func LibraryNotes(r *recipe.Recipe, packages []Package, has map[string]bool) []string {
	if !isBare(r.Base) {
		return nil
	}
	needs := Known().LibrariesOf()
	var missing, who []string
	for _, p := range packages {
		lacks := slices.DeleteFunc(slices.Clone(needs[p.Name]), func(deb string) bool {
			return has[deb] || has[deb+"t64"] || isNamed(r, deb) // t64: its name since the time of 64 bits
		})
		if len(lacks) > 0 {
			missing, who = append(missing, lacks...), append(who, p.Name)
		}
	}
	if who == nil {
		return nil
	}
	do := "load or run"
	if len(who) == 1 {
		do = "loads or runs"
	}
	return []string{fmt.Sprintf("the image lacks what %s %s: system: {runtime: [%s]} brings it", strings.Join(who, ", "), do, strings.Join(recipe.SortedUnique(missing), ", "))}
}

// isBare reports whether a base is known to have no libraries beside those of the distribution's core, and of CUDA.
func isBare(b recipe.BaseImage) bool {
	if b.OfPackages() {
		return true
	}
	name, _, _ := strings.Cut(b.Ref, "@")
	name, tag, _ := strings.Cut(strings.TrimPrefix(name, "docker.io/"), ":")
	switch name {
	case "library/python", "library/debian":
		return strings.Contains(tag, "slim")
	}
	return name == "nvidia/cuda" || name == "library/ubuntu"
}

// isNamed reports whether the project names a Debian package in a step or in what it copies of another image.
func isNamed(r *recipe.Recipe, deb string) bool {
	return slices.ContainsFunc(r.CopyFrom, func(c recipe.CopyFrom) bool {
		return strings.Contains(c.Image+" "+c.From, deb)
	}) || slices.ContainsFunc(r.Steps(), func(s recipe.NamedScript) bool {
		return slices.ContainsFunc(s.Commands, func(c string) bool { return strings.Contains(c, deb) })
	})
}
