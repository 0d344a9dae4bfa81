package pypi

import (
	"strings"
	"testing"
)

// wanted maps the words of yes to true and those of no to false.
func wanted(yes, no string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(yes) {
		m[w] = true
	}
	for _, w := range strings.Fields(no) {
		m[w] = false
	}
	return m
}

func mustVersion(t *testing.T, text string) Version {
	t.Helper()
	v, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
