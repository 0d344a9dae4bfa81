package lookup

import (
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// asking is a daemon for linux/amd64 behind a gateway.
func asking(t *testing.T, gw gateway.Client) Daemon {
	t.Helper()
	worker, err := ParsePlatform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return Daemon{Gateway: gw, Worker: worker, Logs: diagnose.NewWatcher(nil), Stopped: func() error { return nil }}
}

// aptOf asks a gateway for system packages.
func aptOf(t *testing.T, gw gateway.Client, lock *buildlock.Lock) System {
	t.Helper()
	return System{Daemon: asking(t, gw), Helpers: ops.Helpers{Wheels: "sha256:" + buildertest.Zeros, Packages: "sha256:" + buildertest.Zeros}, Lock: lock}
}
