package ops

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Over returns the pairs of both, sorted by name; those of over win.
func Over(under, over []recipe.Pair) []recipe.Pair {
	values := map[string]string{}
	for _, p := range slices.Concat(under, over) {
		values[p.Name] = p.Value
	}
	var all []recipe.Pair
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, recipe.Pair{Name: name, Value: values[name]})
	}
	return all
}
