package registry

import (
	"strings"
	"testing"
)

func TestRepository(t *testing.T) {
	pin := "@sha256:" + strings.Repeat("0", 64)
	for ref, want := range map[string]string{
		"app:1": "docker.io/library/app", "registry.example:5000/team/app:1": "registry.example:5000/team/app",
		"a.example/b" + pin: "a.example/b", "Not A Ref": "Not A Ref",
	} {
		if got := Repository(ref); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}
