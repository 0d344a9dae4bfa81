package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// RequireEnv names the variable that turns a skip for a missing testbed into a failure when it is 1.
const RequireEnv = "MLBUILD_REQUIRE_TESTBED"

// Testbed is a registry with the stand-in bases and a daemon that uses it as docker.io's mirror.
type Testbed struct {
	Registry *Registry
	Daemon   *Daemon
}

// Start starts a registry and a daemon. The first start on a machine makes the stand-in images (minutes);
// later ones take seconds.
func Start(ctx context.Context) (*Testbed, error) {
	if err := daemonPossible(); err != nil {
		return nil, err
	}
	reg, err := StartRegistry(ctx, RegistryOptions{Bases: true})
	if err != nil {
		return nil, err
	}
	daemon, err := StartDaemon(ctx, DaemonOptions{Mirror: reg})
	if err != nil {
		return nil, errors.Join(err, reg.Stop())
	}
	return &Testbed{Registry: reg, Daemon: daemon}, nil
}

// Stop ends both and removes what they held.
func (tb *Testbed) Stop() error {
	return errors.Join(tb.Daemon.Stop(), tb.Registry.Stop())
}

// shared is the testbed of the test binary.
var shared struct {
	once sync.Once
	tb   *Testbed
	err  error
}

// Main runs the tests of a package and then stops the testbed that they shared. It returns the exit status
// for os.Exit.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.tb == nil {
		return code
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "--- the shared buildkitd's log, last lines:\n%s\n", lastLines(shared.tb.Daemon.Log(), 40))
	}
	if err := shared.tb.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testbed:", err)
		return 1
	}
	return code
}

// Shared is the one testbed of the test binary, started by the first test that asks; the package's TestMain
// must call Main. Its registry and daemon are used by other tests too: count requests only in a repository
// of your own, or start fresh ones with NewRegistry and NewDaemon.
func Shared(t testing.TB) *Testbed {
	t.Helper()
	Require(t)
	shared.once.Do(func() { shared.tb, shared.err = Start(context.Background()) })
	if shared.err != nil {
		SkipMissing(t, shared.err)
	}
	return shared.tb
}

// Require skips the test with -short, and where this machine lacks what the testbed needs.
func Require(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: the testbed starts daemons")
	}
	if err := daemonPossible(); err != nil {
		SkipMissing(t, err)
	}
	if _, err := Tool("registry"); err != nil {
		SkipMissing(t, err)
	}
}

// SkipMissing skips the test if err is a *MissingError and MLBUILD_REQUIRE_TESTBED is not 1; any other
// error fails it.
func SkipMissing(t testing.TB, err error) {
	t.Helper()
	if missing := new(MissingError); errors.As(err, &missing) && os.Getenv(RequireEnv) != "1" {
		t.Skip(missing)
	}
	t.Fatal(err)
}

// NewRegistry starts a registry that ends with the test.
func NewRegistry(t testing.TB, opt RegistryOptions) *Registry {
	t.Helper()
	Require(t)
	r, err := StartRegistry(t.Context(), opt)
	if err != nil {
		SkipMissing(t, err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// NewDaemon starts a daemon with an empty state that ends with the test; its log is shown if the test
// failed.
func NewDaemon(t testing.TB, opt DaemonOptions) *Daemon {
	t.Helper()
	Require(t)
	d, err := StartDaemon(t.Context(), opt)
	if err != nil {
		SkipMissing(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("buildkitd's log, last lines:\n%s", lastLines(d.Log(), 40))
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}
