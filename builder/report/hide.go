package report

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// shortest is the shortest value that is hidden, in bytes: shorter ones stand in any text by chance.
const shortest = 6

// assigned is what the history of others' images says of build arguments that should have been secrets.
var assigned = lazyregexp.New(`(?i)\b([a-z0-9_]*(?:token|password|passwd|secret|api_?key|credential)[a-z0-9_]*=)[^\s*]\S*`)

// hider puts stars in a text in place of secrets: of values as a whole and each of their lines, of what has the shape of a secret, and of what is assigned to a name of one.
type hider func(text string) string

// hiderOf hides some values beside what shows by itself to be a secret.
func hiderOf(secrets [][]byte) hider {
	var values [][]string
	for _, s := range secrets {
		for _, text := range append(strings.Split(string(s), "\n"), string(s)) {
			if text = strings.TrimSpace(text); len(text) >= shortest {
				values = append(values, []string{text, "***"})
			}
		}
	}
	slices.SortStableFunc(values, func(a, b []string) int { return cmp.Compare(len(b[0]), len(a[0])) }) // a Replacer takes the first that fits
	r := strings.NewReplacer(slices.Concat(values...)...)
	return func(text string) string { return assigned.ReplaceAllString(yamldoc.Redact(r.Replace(text)), "$1***") }
}

// inTree hides in the names of a tree, before they are cut to fit their rectangles.
func (h hider) inTree(n *node) {
	n.name, n.detail = h(n.name), h(n.detail)
	for i := range n.parts {
		h.inTree(&n.parts[i])
	}
}

// in hides in every text of a view.
func (h hider) in(view any) { hideIn(reflect.ValueOf(view), h) }

// hideIn replaces in what a value holds. Views have no maps and no pointers but the first.
func hideIn(v reflect.Value, hidden hider) {
	switch v.Kind() {
	case reflect.Pointer:
		hideIn(v.Elem(), hidden)
	case reflect.String:
		v.SetString(hidden(v.String()))
	case reflect.Slice:
		for i := range v.Len() {
			hideIn(v.Index(i), hidden)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			hideIn(v.Field(i), hidden)
		}
	}
}
