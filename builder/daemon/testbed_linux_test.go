package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// needTestbed skips, or fails where CI demands the testbed.
func needTestbed(t *testing.T, missing, remedy string) {
	t.Helper()
	if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
		t.Fatalf("%s; %s", missing, remedy)
	}
	t.Skipf("%s; %s", missing, remedy)
}

// builtDaemon is the buildkitd that make builds.
func builtDaemon(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs a real buildkitd")
	}
	path, err := filepath.Abs("../../bin/buildkitd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		needTestbed(t, "bin/buildkitd is missing", "run: make build")
	}
	return path
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		needTestbed(t, "not root", "run the tests as root")
	}
}

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mld") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// localOptions are those of a rootful local default with a state of its own, stopped after the test.
func localOptions(t *testing.T) Options {
	t.Helper()
	needRoot(t)
	o := Options{StateDir: filepath.Join(shortDir(t), "s"), Binary: builtDaemon(t), Path: os.Getenv("PATH"), Log: t.Logf}
	t.Cleanup(func() {
		if err := Stop(context.Background(), o); err != nil {
			t.Error(err)
		}
	})
	return o
}

// onlyLocal is Find without the candidates that this machine may really have.
func onlyLocal(ctx context.Context, o Options) (*Daemon, error) {
	if d, err := o.findLocal(ctx); err == nil {
		return d, nil
	}
	return o.startLocal(ctx)
}

func mustLocal(t *testing.T, o Options) *Daemon {
	t.Helper()
	d, err := onlyLocal(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// remoteDaemon starts a plain buildkitd, as an operator would, on a unix socket and the given addresses.
func remoteDaemon(t *testing.T, args ...string) (socket string, process *os.Process) {
	t.Helper()
	needRoot(t)
	binary, dir := builtDaemon(t), shortDir(t)
	socket = filepath.Join(dir, "b.sock")
	args = append([]string{"--root", filepath.Join(dir, "r"), "--addr", "unix://" + socket,
		"--otel-socket-path", filepath.Join(dir, "o.sock"), "--containerd-worker=false"}, args...)
	cmd := exec.Command(binary, args...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
	await(t, 20*time.Second, func() error {
		d, err := (Options{}).connect(t.Context(), "unix://"+socket, SourceSocket)
		if err == nil {
			_ = d.Close()
		}
		return err
	})
	return socket, cmd.Process
}

// await polls until check passes.
func await(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("not within %s: %w", limit, err))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
