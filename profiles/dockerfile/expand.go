package dockerfile

import (
	"maps"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// variables are the values that a step sees. A build argument of a stage has ${NAME} as its value.
type variables map[string]string

// Get implements shell.EnvGetter.
func (v variables) Get(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// Keys implements shell.EnvGetter.
func (v variables) Keys() []string { return slices.Sorted(maps.Keys(v)) }

// expand puts variables into a word. A word that is none of a shell stays as it is.
func (v variables) expand(word string) string {
	out, _, err := shell.NewLex('\\').ProcessWord(word, v)
	if err != nil {
		return word
	}
	return out
}

// with returns the variables with one more.
func (v variables) with(name, value string) variables {
	next := maps.Clone(v)
	if next == nil {
		next = variables{}
	}
	next[name] = value
	return next
}

// started are the variables of every container.
func started() variables { return variables{"PATH": "$PATH", "HOME": "$HOME"} }
