package ops

import (
	"slices"
	"testing"
)

func TestNoCache(t *testing.T) {
	for _, c := range []struct {
		stages NoCache
		id     GroupID
		want   bool
	}{
		{nil, "wheels", false},
		{NoCacheAll, "anything", true},
		{NoCache{"wheels"}, "wheels", true},
		{NoCache{"wheels"}, "system", false},
		{NoCache{"runtime"}, "account", true},
		{NoCache{"runtime"}, "resolve", false},
		{NoCache{"resolve"}, "resolve-system", true},
		{NoCache{"testing"}, "testing", true},
	} {
		if got := c.stages.Has(c.id); got != c.want {
			t.Errorf("%v has %s: %t", c.stages, c.id, got)
		}
	}
	if got := NoCacheNames(); slices.Contains(got, "base") || !slices.Contains(got, "runtime") || !slices.IsSorted(got) {
		t.Errorf("stages of --no-cache: %v", got)
	}
}
