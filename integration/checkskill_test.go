package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// killing is a project whose build is killed again and again.
type killing struct {
	*project
	mlbuild program
	reg     *testbed.Registry
	ref     string // of the image, and its repository and tag
	tag     string
}

// newKilling returns one that is locked and pushed once.
func newKilling(t *testing.T, daemon *testbed.Daemon, reg *testbed.Registry, name string) *killing {
	t.Helper()
	p, _ := served(t)
	k := &killing{project: p, reg: reg, tag: name + ":1", ref: reg.Ref(name + ":1")}
	k.mlbuild = program{path: filepath.Join(programs(t, "mlbuild"), "mlbuild"), dir: p.dir, env: append(os.Environ(), "BUILDKIT_HOST="+daemon.Addr(), "MLBUILD_STATE_DIR="+p.state)}
	k.must("lock")
	k.must(k.build()...)
	return k
}

func (k *killing) build() []string { return []string{"--locked", "--push", "--tag", k.ref} }

func (k *killing) must(args ...string) {
	k.t.Helper()
	if got, err := k.mlbuild.run(k.t.Context(), args...); err != nil || got.code != 0 {
		k.t.Fatalf("%q ended with %d, %v\n%s", args, got.code, err, got.stderr)
	}
}

// mark makes the project another one: both checks run again, in an environment that has the mark. Who has it is known by it.
func (k *killing) mark(n int) string {
	mark := fmt.Sprintf("killed-%d-%d", os.Getpid(), n)
	text := k.read("mlbuild.yaml")
	at := strings.Index(text, "{MODEL_NAME: ")
	end := at + strings.Index(text[at:], "}")
	k.write("mlbuild.yaml", text[:at]+"{MODEL_NAME: "+mark+text[end:])
	return mark
}

func (k *killing) digest() string {
	d, err := k.reg.Digest(k.t.Context(), k.tag)
	if err != nil {
		k.t.Error(err)
	}
	return d
}

// running lists the processes of this machine whose environment has a text.
func running(mark string) (all []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		if env, err := os.ReadFile(f); err == nil && bytes.Contains(env, []byte("MODEL_NAME="+mark)) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
			all = append(all, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return all
}

// nothingRuns fails unless nothing with the mark runs soon.
func nothingRuns(t *testing.T, mark string) {
	t.Helper()
	var left []string
	for range 100 {
		if left = running(mark); len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("still running: %q", left)
}

// points are those of a build at which it is killed.
const points = 10

// TestKilledClient kills mlbuild at points spread over a build with checks: the tag names the image of before or the whole new one, the daemon ends what ran for it, and the next run works.
func TestKilledClient(t *testing.T) {
	tb := testbed.Shared(t)
	k := newKilling(t, tb.Daemon, tb.Registry, "killed-client")
	k.mark(0)
	began := time.Now()
	k.must(k.build()...)
	whole := time.Since(began)
	for i := range points {
		before, mark := k.digest(), k.mark(i+1)
		cmd, wait, err := k.mlbuild.start(t.Context(), k.build()...)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole * time.Duration(i) / points)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		if _, err := wait(); err != nil {
			t.Fatal(err)
		}
		nothingRuns(t, mark)
		moved := k.digest()
		k.must(k.build()...)
		if now := k.digest(); moved != before && moved != now || now == before {
			t.Errorf("point %d: the tag named %s, after the kill %s, after the next run %s", i, before, moved, now)
		}
	}
}

// TestKilledDaemon kills the daemon at points spread over a build with checks: the client ends soon and says that the daemon is gone, the tag stays, nothing runs on, and the next run
// on the daemon that was started again works.
func TestKilledDaemon(t *testing.T) {
	testbed.Require(t)
	shared := testbed.Shared(t)
	opt := testbed.DaemonOptions{Mirror: shared.Registry, Root: t.TempDir()}
	t.Cleanup(func() { _ = testbed.RemoveAll(opt.Root) })
	start := func() *testbed.Daemon {
		d, err := testbed.StartDaemon(context.WithoutCancel(t.Context()), opt)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	end := func(d *testbed.Daemon) {
		d.Kill()
		_ = d.Stop()
	}
	d := start()
	k := newKilling(t, d, shared.Registry, "killed-daemon")
	k.mark(0)
	began := time.Now()
	k.must(k.build()...)
	whole := time.Since(began)
	for i := range points {
		before, mark, began := k.digest(), k.mark(i+1), time.Now()
		timer := time.AfterFunc(whole*time.Duration(i+1)/(points+1), d.Kill)
		got, err := k.mlbuild.run(t.Context(), k.build()...)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		timer.Stop()
		end(d)
		nothingRuns(t, mark)
		moved := k.digest()
		if took > whole+20*time.Second || got.code != 0 && got.code != 75 || got.code == 0 && moved == before {
			t.Errorf("point %d: exit code %d after %s, the tag named %s and names %s\n%s", i, got.code, took, before, moved, got.stderr)
		}
		d = start()
		k.mlbuild.env = append(k.mlbuild.env, "BUILDKIT_HOST="+d.Addr())
		k.must(k.build()...)
		if now := k.digest(); moved != before && moved != now || now == before {
			t.Errorf("point %d: the tag named %s, after the kill %s, after the next run %s", i, before, moved, now)
		}
	}
	end(d)
}
