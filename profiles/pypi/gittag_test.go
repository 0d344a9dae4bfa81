package pypi

import "testing"

// The versions are those of setuptools-scm 8 for the same repositories, its date left out.
func TestNextVersion(t *testing.T) {
	for _, c := range []struct{ described, revision, want string }{
		{"v1.2.3-0-gabc1234", "abc1234", "1.2.3"},
		{"1.2-0-gabc1234", "abc1234", "1.2"},
		{"release-1.2.3-0-gabc1234", "abc1234", "1.2.3"},
		{"v1.2.3-4-gabc1234", "abc1234", "1.2.4.dev4+gabc1234"},
		{"v1.9-4-gabc1234", "abc1234", "1.10.dev4+gabc1234"},
		{"v1.0rc1-2-gabc1234", "abc1234", "1.0rc2.dev2+gabc1234"},
		{"v1.2.3-0-gabc1234", "abc1234-dirty", "1.2.4.dev0+gabc1234.dirty"},
		{"v1.10.0-dev-0-gabc1234", "abc1234", "1.10.0.dev0"},
		{"v1.10.0-dev-3-gabc1234", "abc1234", "1.10.0.dev3+gabc1234"},
		{"v1.0-rc.1-2-gabc1234", "abc1234", "1.0rc2.dev2+gabc1234"},
		{"nightly7a-3-gabc1234", "abc1234", ""},
		{"", "abc1234", ""},
	} {
		if got := ParseDescribed(c.described, c.revision).NextVersion(); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.described, c.revision, got, c.want)
		}
	}
}

// The versions are those of dunamai 1.26.
func TestDunamai(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		tagged Tagged
		how    Dunamai
		want   string
	}{
		{Tagged{Tag: "v1.2.3", Distance: 0, Commit: "abc1234"}, Dunamai{}, "1.2.3"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{}, "1.2.3.post4.dev0+abc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234", Dirty: true}, Dunamai{Dirty: true}, "1.2.3.post4.dev0+abc1234.dirty"},
		{Tagged{Tag: "v1.2.3", Distance: 0, Commit: "abc1234", Dirty: true}, Dunamai{Dirty: true}, "1.2.3+dirty"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{Style: "semver"}, "1.2.3-post.4+abc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{Style: "pvp"}, "1.2.3-post-4-abc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 0, Commit: "abc1234"}, Dunamai{Metadata: &yes}, "1.2.3+abc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{Metadata: &no}, "1.2.3.post4.dev0"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{Bump: true}, "1.2.4.dev4+abc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 0, Commit: "abc1234"}, Dunamai{Bump: true}, "1.2.3"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{Bump: true, Style: "semver"}, "1.2.4-pre.4+abc1234"},
		{Tagged{Tag: "v1.0-rc.1", Distance: 0, Commit: "abc1234"}, Dunamai{}, "1.0rc1"},
		{Tagged{Tag: "v1.0rc1", Distance: 2, Commit: "abc1234"}, Dunamai{}, "1.0rc1.post2.dev0+abc1234"},
		{Tagged{Tag: "v1.0.0-rc1", Distance: 2, Commit: "abc1234"}, Dunamai{Style: "semver"}, "1.0.0-rc.1.post.2+abc1234"},
		{Tagged{Tag: "v1.0rc1", Distance: 2, Commit: "abc1234"}, Dunamai{Bump: true}, "1.0rc2.dev2+abc1234"},
		{Tagged{Tag: "v1.0rc", Distance: 2, Commit: "abc1234"}, Dunamai{Bump: true}, "1.0rc2.dev2+abc1234"},
		{Tagged{Tag: "v1.0.0-alpha.2", Distance: 0, Commit: "abc1234"}, Dunamai{Style: "pvp"}, "1.0.0-alpha-2"},
		{Tagged{Tag: "v1.10.0-dev", Distance: 0, Commit: "abc1234"}, Dunamai{}, "1.10.0"},
		{Tagged{Tag: "v1.10.0-dev", Distance: 3, Commit: "abc1234"}, Dunamai{}, "1.10.0.post3.dev0+abc1234"},
		{Tagged{Tag: "v1.0.post2", Distance: 3, Commit: "abc1234"}, Dunamai{}, "1.0.post2.dev3+abc1234"},
		{Tagged{Tag: "v1!2.0", Distance: 3, Commit: "abc1234"}, Dunamai{}, "1!2.0.post3.dev0+abc1234"},
		{Tagged{Tag: "v1.0+linux", Distance: 3, Commit: "abc1234"}, Dunamai{TaggedMetadata: true}, "1.0.post3.dev0+linux.abc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}, Dunamai{CommitPrefix: "g"}, "1.2.3.post4.dev0+gabc1234"},
		{Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234", Dirty: true}, Dunamai{Format: "{major}.{minor}.{patch}.{distance}+{commit}.{dirty}"}, "1.2.3.4+abc1234.dirty"},
		{Tagged{Tag: "v2", Distance: 4, Commit: "abc1234"}, Dunamai{Format: "{base}-{minor}"}, "2-0"},
	} {
		if got, ok := c.how.Version(c.tagged); got != c.want || !ok {
			t.Errorf("%+v of %+v: %q, want %q", c.how, c.tagged, got, c.want)
		}
	}
	if got, ok := (Dunamai{}).Version(Tagged{Tag: "nightly7a", Commit: "abc1234"}); ok {
		t.Errorf("%q of a tag without a version", got)
	}
	if got, _ := (Dunamai{FullCommit: true}).Version(Tagged{Tag: "v1", Distance: 1, Commit: "abc", Full: "abcdef"}); got != "1.post1.dev0+abcdef" {
		t.Errorf("with the whole commit %q", got)
	}
}
