package packages

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// found are the packages of an image of which nobody knows what was to be installed: those that are there. What none of them requires somebody asked for by name.
func found(all []distribution) []check.Package {
	first, required := byName(all), map[string]bool{}
	for _, d := range first {
		for _, text := range d.requires {
			if q, err := pypi.ParseRequirement(text); err == nil && pypi.Normalize(q.Name) != d.name {
				required[pypi.Normalize(q.Name)] = true
			}
		}
	}
	var list []check.Package
	for _, name := range slices.Sorted(maps.Keys(first)) {
		list = append(list, check.Package{Name: name, Version: first[name].version, Direct: !required[name]})
	}
	return list
}

// somePython returns the interpreter that PATH finds, "python3" where there is none: that says so when it is started.
func somePython(root string, env []string) string {
	for _, name := range []string{"python3", "python"} {
		if at, wrong := findProgram(root, name, "/", valueOf(env, "PATH")); wrong == "" {
			return at
		}
	}
	return "python3"
}
