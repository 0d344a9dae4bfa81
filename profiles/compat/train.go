package compat

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Train is what a training image has for a framework.
type Train struct {
	System []string                     `yaml:"system"`
	Build  []string                     `yaml:"build"`
	Env    map[string]string            `yaml:"env"`
	With   map[string]map[string]string `yaml:"with"` // package → variable → value
	Launch []string                     `yaml:"launch"`
}

// Training is what a training image has for all that its project asks for.
type Training struct {
	System []string      // Debian packages in the image
	Build  []string      // Debian packages that building from source takes
	Env    []recipe.Pair // over them what the project says wins
	Launch []string      // the command that runs a script on every GPU of the machine, nil = none is known
}

// Training gathers what the packages that a project asks for need in a training image.
func (fs Frameworks) Training(asked func(name string) bool) Training {
	var t Training
	for _, f := range fs {
		if !asked(f.Name) {
			continue
		}
		t.System, t.Build = append(t.System, f.Train.System...), append(t.Build, f.Train.Build...)
		t.Env = append(t.Env, pairs(f.Train.Env)...)
		for _, other := range slices.Sorted(maps.Keys(f.Train.With)) {
			if asked(other) {
				t.Env = append(t.Env, pairs(f.Train.With[other])...)
			}
		}
		if t.Launch == nil {
			t.Launch = f.Train.Launch
		}
	}
	return t
}

// pairs are variables in the order of their names.
func pairs(env map[string]string) []recipe.Pair {
	var all []recipe.Pair
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, recipe.Pair{Name: name, Value: env[name]})
	}
	return all
}
