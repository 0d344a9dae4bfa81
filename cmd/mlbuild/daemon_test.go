package main

import (
	"testing"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestCannotBuild: the exit code of daemon status says whether the local daemon builds, or could be started.
func TestCannotBuild(t *testing.T) {
	missing := []daemon.Need{{Name: "overlayfs", Weak: true}, {Name: "runc", Detail: "not found"}}
	for name, c := range map[string]struct {
		status daemon.Status
		fails  bool
	}{
		"it answers":                        {daemon.Status{Running: true, Answers: true, Needs: missing}, false},
		"it could start":                    {daemon.Status{Needs: missing[:1]}, false},
		"it could not":                      {daemon.Status{Needs: missing}, true},
		"it runs and is of no use":          {daemon.Status{Running: true, Problem: "too old"}, true},
		"it has just been started, perhaps": {daemon.Status{Running: true}, false},
	} {
		if err := cannotBuild(c.status); (err != nil) != c.fails || err != nil && !fault.Is(err, fault.Embedded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
