package ops

import "slices"

// Stages names parts of a build, as CacheStages lists them. Nil is none.
type Stages []string

// AllStages is every part of a build.
var AllStages = Stages{"*"}

// cacheParts are the names that stand for several progress groups, or for one of another id.
var cacheParts = map[string][]string{
	"builder":  {"builder", "source"},
	"resolve":  {"resolve", "resolve-system", "inspect"},
	"bytecode": {"bytecode"},
	"system":   {"system"},
	"wheels":   {"wheels"},
	"runtime":  {"system", "account", "wheels", "bytecode"},
}

// CacheStages are the names of which --no-cache takes a list, sorted: every stage that runs steps, and the parts of runtime.
func CacheStages() []string {
	names := slices.DeleteFunc(slices.Clone(Targets), func(t string) bool { return t == "base" }) // nothing runs there
	for p := range cacheParts {
		names = append(names, p)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Has tells whether the progress group with the id is among the stages.
func (s Stages) Has(id string) bool {
	return slices.ContainsFunc(s, func(name string) bool {
		return name == AllStages[0] || name == id || slices.Contains(cacheParts[name], id)
	})
}
