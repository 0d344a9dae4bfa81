package recipe

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// reference is $NAME, ${NAME}, ${NAME:-word}, and $$, which is a dollar. Any other dollar stands for itself.
var (
	reference     = lazyregexp.New(`\$(?:\$|[A-Za-z_][A-Za-z0-9_]*|\{[^}]*\}?)`)
	referenceName = lazyregexp.New(`^([A-Za-z_][A-Za-z0-9_]*)(?:(:-)(.*))?$`)
)

// Reference is a place in a variable's value that another variable's stands at.
type Reference struct {
	Name     string
	Default  string // of ${NAME:-word}: what stands there if the variable is not set
	Optional bool   // there is a Default, if only ""
	Written  string // ${NAME:-word}
}

// Expand returns text with what value returns in place of each reference, and a dollar for $$. It fails for a reference that is none of the forms, as ${a.b}.
func Expand(text string, value func(Reference) string) (string, error) {
	return expand(text, "$", value)
}

// Substitute is Expand that leaves $$ as it is, and so returns a text to be expanded.
func Substitute(text string, value func(Reference) string) (string, error) {
	return expand(text, "$$", value)
}

func expand(text, dollar string, value func(Reference) string) (string, error) {
	var err error
	expanded := reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return dollar
		}
		r, good := readReference(found)
		if !good {
			if err == nil {
				err = fmt.Errorf("%s is not the name of a variable", found)
			}
			return found
		}
		return value(r)
	})
	return expanded, err
}

func readReference(found string) (Reference, bool) {
	inner, braces := strings.CutPrefix(found[1:], "{")
	if braces {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "}"); !closed {
			return Reference{}, false
		}
	}
	m := referenceName.FindStringSubmatch(inner)
	if m == nil {
		return Reference{}, false
	}
	return Reference{Name: m[1], Default: m[3], Optional: m[2] != "", Written: found}, true
}

// Escape returns a text that Expand turns into s.
func Escape(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// Onto returns the pairs of both lists sorted by name, as Over does. A variable of top that refers to itself has the value of under in it.
func Onto(under, top []Pair) []Pair {
	below := map[string]string{}
	for _, p := range under {
		below[p.Name] = p.Value
	}
	onto := make([]Pair, len(top))
	for i, p := range top {
		onto[i] = p
		before, ok := below[p.Name]
		if !p.Refers || !ok {
			continue
		}
		// What is no reference was refused when the value was read.
		onto[i].Value, _ = Substitute(p.Value, func(r Reference) string {
			if r.Name == p.Name {
				return Escape(before)
			}
			return r.Written
		})
	}
	return Over(under, onto)
}
