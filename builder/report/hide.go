package report

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// shortest is the shortest value that is hidden, in bytes: shorter ones stand in any text by chance.
const shortest = 6

// hide puts stars in place of secrets in every text of a view: of values as a whole, and of each of their lines.
func hide(v any, secrets [][]byte) {
	var values []string
	for _, s := range secrets {
		for _, text := range append(strings.Split(string(s), "\n"), string(s)) {
			if text = strings.TrimSpace(text); len(text) >= shortest {
				values = append(values, text, "***")
			}
		}
	}
	if len(values) == 0 {
		return
	}
	pairs := slices.Collect(slices.Chunk(values, 2))
	slices.SortStableFunc(pairs, func(a, b []string) int { return cmp.Compare(len(b[0]), len(a[0])) }) // a Replacer takes the first that fits
	hideIn(reflect.ValueOf(v), strings.NewReplacer(slices.Concat(pairs...)...))
}

// hideIn replaces in what a value holds. Views have no maps and no pointers but the first.
func hideIn(v reflect.Value, r *strings.Replacer) {
	switch v.Kind() {
	case reflect.Pointer:
		hideIn(v.Elem(), r)
	case reflect.String:
		v.SetString(r.Replace(v.String()))
	case reflect.Slice:
		for i := range v.Len() {
			hideIn(v.Index(i), r)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			hideIn(v.Field(i), r)
		}
	}
}
