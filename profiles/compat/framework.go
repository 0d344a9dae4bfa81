package compat

import (
	"slices"
)

// SameProject reports whether two normalized names are the same framework's: tensorflow and tensorflow-cpu have the same modules.
func SameProject(a, b string) bool { return slices.Contains(NamesOf(a), b) }

// NamesOf lists the names under which one framework is published: tensorflow, tensorflow-cpu, tensorflow-gpu.
func NamesOf(name string) []string {
	for _, v := range Known().Variants {
		if slices.Contains(v.Names, name) {
			return v.Names
		}
	}
	return []string{name}
}
