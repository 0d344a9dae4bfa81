package main

import "testing"

// The versions are those of setuptools-scm 8 for the same repositories, its date left out.
func TestTagVersion(t *testing.T) {
	for _, c := range []struct{ described, revision, want string }{
		{"v1.2.3-0-gabc1234", "abc1234", "1.2.3"},
		{"1.2-0-gabc1234", "abc1234", "1.2"},
		{"release-1.2.3-0-gabc1234", "abc1234", "1.2.3"},
		{"v1.2.3-4-gabc1234", "abc1234", "1.2.4.dev4+gabc1234"},
		{"v1.9-4-gabc1234", "abc1234", "1.10.dev4+gabc1234"},
		{"v1.0rc1-2-gabc1234", "abc1234", "1.0rc2.dev2+gabc1234"},
		{"v1.2.3-0-gabc1234", "abc1234-dirty", "1.2.4.dev0+gabc1234.dirty"},
		{"nightly7a-3-gabc1234", "abc1234", ""},
		{"", "abc1234", ""},
	} {
		if got := tagVersion(c.described, c.revision); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.described, c.revision, got, c.want)
		}
	}
}
