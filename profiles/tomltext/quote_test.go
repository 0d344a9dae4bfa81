package tomltext_test

import (
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/tomltext"
)

// TestQuote reads back what is written.
func TestQuote(t *testing.T) {
	for s, want := range map[string]string{"": "", "plain": "plain", `a"b\c`: `a"b\c`, "tab\tnew\nline\x00\x7f": "tab\tnew\nline\x00\x7f", "ü→": "ü→", "bad\xff": "bad\uFFFD"} {
		var doc struct{ K string }
		if err := toml.Unmarshal([]byte("K = "+tomltext.Quote(s)), &doc); err != nil || doc.K != want {
			t.Errorf("%q is written as %s and read as %q, %v", s, tomltext.Quote(s), doc.K, err)
		}
	}
}
