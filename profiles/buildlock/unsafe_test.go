package buildlock

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestUnsafeModels: what a hub lists stays in the model's directory, and its hashes are hashes.
func TestUnsafeModels(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	sum := strings.Repeat("a", 64)
	for name, inside := range map[string]bool{
		"a": true, "a/b.bin": true, ".gitattributes": true, "..a/b": true, "a b/ü": true,
		"../../etc/passwd": false, "a/../../b": false, "..": false, ".": false, "": false, "/etc/passwd": false, "a//b": false, "a/": false, "./a": false, "a/./b": false, "a\x00b": false,
		"a\nb": false, "a\x1b]0;b": false, "\xff": false,
	} {
		m := Model{Name: "m", Source: "s", Revision: commit, Files: []ModelFile{{Path: name, SHA256: sum}}}
		if err := m.Unsafe(); (err == nil) != inside || err != nil && !fault.Is(err, fault.Download) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for says, m := range map[string]Model{
		"which is none":  {Revision: "main?x", Files: []ModelFile{{Path: "a"}}},
		"twice":          {Revision: commit, Files: []ModelFile{{Path: "a"}, {Path: "a"}}},
		"its size is -1": {Revision: commit, Files: []ModelFile{{Path: "a", Size: -1}}},
		`its sha256 "x"`: {Revision: commit, Files: []ModelFile{{Path: "a", SHA256: "x"}}},
		"no path inside": {Files: []ModelFile{{Path: ""}, {Path: "a"}}},
	} {
		if err := m.Unsafe(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	one := Model{Files: []ModelFile{{SHA256: sum}}}
	if err := one.Unsafe(); err != nil {
		t.Errorf("a source that is one file: %v", err)
	}
}
