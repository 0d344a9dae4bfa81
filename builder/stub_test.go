package builder

import (
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// running is a build without a daemon.
func running(t *testing.T, req Request) *build {
	t.Helper()
	worker, err := parsePlatform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return &build{ctx: t.Context(), req: req, worker: worker, helpers: ops.Helpers{Wheels: "sha256:" + buildertest.Zeros, Packages: "sha256:" + buildertest.Zeros}, watchers: map[string]*diagnose.Watcher{}}
}
