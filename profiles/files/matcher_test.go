package files

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"

	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// everyPattern is the matcher without its short cut.
func everyPattern(t *testing.T, m *patternmatcher.PatternMatcher, name string) bool {
	t.Helper()
	var info patternmatcher.MatchInfo
	is := false
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		var err error
		if is, info, err = m.MatchesUsingParentResults(name[:i], info); err != nil {
			t.Fatal(err)
		}
	}
	return is
}

// TestMatcherIsPatternmatcher: the short cut changes no answer, whatever the patterns and paths are.
func TestMatcherIsPatternmatcher(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{"a", "b", "ab", ".env", "x.py", "x.pem", "*", "*.p?", "a*", "?", "**", "**a", "a**", "[ab]", `\\*`, "ü", "."}
	names := []string{"a", "b", "ab", "aab", ".env", ".env.x", "x.py", "x.pem", "x", "ü", "*", "\xff"}
	joined := func(from []string, most int) string {
		var all []string
		for range 1 + r.IntN(most) {
			all = append(all, from[r.IntN(len(from))])
		}
		return strings.Join(all, "/")
	}
	left := 0
	for range 5000 {
		var patterns []string
		for range 1 + r.IntN(4) {
			p := joined(parts, 3)
			if r.IntN(4) == 0 {
				p = "!" + p
			}
			patterns = append(patterns, p)
		}
		m := newMatcher(yamldoc.NewReport(), patterns)
		for range 20 {
			name := path.Clean(joined(names, 4))
			want := everyPattern(t, m.PatternMatcher, name)
			if got := m.matches(name); got != want {
				t.Fatalf("%q of %q: %v, want %v", name, patterns, got, want)
			}
			if want {
				left++
			}
		}
	}
	if left < 10_000 {
		t.Errorf("only %d paths matched", left)
	}
}

// TestSecretFilesAreLookedUpByName: no pattern of ours takes the short cut from all the others.
func TestSecretFilesAreLookedUpByName(t *testing.T) {
	for _, patterns := range [][]string{clutter, secretFiles} {
		if m := newMatcher(yamldoc.NewReport(), patterns); m.last.any {
			t.Errorf("one of %q may match any name", patterns)
		}
	}
}
