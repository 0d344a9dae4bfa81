package builder

import (
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestSameLayers: what stands in the history and the base's layers count; settings and the times that the exporter lowers do not.
func TestSameLayers(t *testing.T) {
	const compiled = `{"os": "linux", "config": {"Env": ["A=1"]}, "rootfs": {"type": "layers"},
		"history": [{"created": "2024-01-02T03:04:05Z", "created_by": "base"}, {"created": "1970-01-01T00:00:00Z", "created_by": "numpy"}]}`
	const base = "sha256:aa"
	pushed := func(env, diffs string) string {
		return `{"rootfs": {"type": "layers", "diff_ids": [` + diffs + `]}, "config": {"Env": ["` + env + `"]}, "os": "linux",
			"history": [{"created": "1970-01-01T00:00:00Z", "created_by": "base"}, {"created": "1970-01-01T00:00:00Z", "created_by": "numpy"}]}`
	}
	for _, test := range []struct {
		name   string
		pushed string
		want   bool
	}{
		{"the same", pushed("A=1", `"sha256:aa", "sha256:cc"`), true},
		{"another setting", pushed("A=2", `"sha256:aa", "sha256:cc"`), true},
		{"another base", pushed("A=1", `"sha256:bb", "sha256:cc"`), false},
		{"fewer layers than the base", pushed("A=1", ""), false},
		{"another history", `{"os": "linux", "config": {"Env": ["A=1"]}, "rootfs": {"diff_ids": ["sha256:aa"]}, "history": []}`, false},
		{"no image", "", false},
		{"no JSON", "<html>", false},
	} {
		if got := sameLayers([]byte(test.pushed), []byte(compiled), []digest.Digest{base}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestDescriptorOf(t *testing.T) {
	got := descriptorOf("eyJtZWRpYVR5cGUiOiJhL2IiLCJkaWdlc3QiOiJzaGEyNTY6YWEiLCJzaXplIjo3fQ==") // {"mediaType":"a/b","digest":"sha256:aa","size":7}
	if got.MediaType != "a/b" || got.Digest != "sha256:aa" || got.Size != 7 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "%", "bm90IEpTT04="} {
		if got := descriptorOf(bad); got.Digest != "" {
			t.Errorf("descriptorOf(%q) = %+v", bad, got)
		}
	}
}
