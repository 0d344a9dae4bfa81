package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestLocalStartsIsReusedAndStops(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	d := mustLocal(t, o)
	if !d.Local || d.PID == 0 || d.Source != SourceLocal || len(d.Platforms) == 0 || d.Snapshotter() == "" {
		t.Fatalf("incomplete: %+v", d)
	}
	if sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, uintptr(d.PID), 0, 0); int(sid) != d.PID {
		t.Errorf("session of the daemon is %d, want its own %d: it would die with the terminal", sid, d.PID)
	}
	if again := mustLocal(t, o); again.PID != d.PID {
		t.Errorf("second run got pid %d, want %d", again.PID, d.PID)
	}
	s, err := Inspect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Running || !s.Answers || s.PID != d.PID || s.Version != d.Version || s.Rootless || s.DiskFree == 0 {
		t.Errorf("status %+v", s)
	}
	if err := Stop(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(d.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the daemon lives after Stop: %v", err)
	}
	if _, err := os.Stat(o.state().socket()); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if err := Stop(t.Context(), o); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	if s, err := Inspect(t.Context(), o); err != nil || s.Running {
		t.Errorf("status after stop: %+v, %v", s, err)
	}
	var log strings.Builder
	if err := Logs(o, &log); err != nil || !strings.Contains(log.String(), "running server on") {
		t.Errorf("log %q, %v", log.String(), err)
	}
}

func TestTenAtOnceStartOne(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	var mu sync.Mutex
	pids := map[int]int{}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			d, err := onlyLocal(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = d.Close() }()
			mu.Lock()
			defer mu.Unlock()
			pids[d.PID]++
		})
	}
	all.Wait()
	if len(pids) != 1 || pids[0] != 0 {
		t.Errorf("pids %v, want one for all ten", pids)
	}
}

func TestDeadDaemonIsReplaced(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	first := mustLocal(t, o)
	if err := syscall.Kill(-first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !o.state().readRecord().gone(t.Context(), killPatience) {
		t.Fatal("does not die")
	}
	if _, err := os.Stat(o.state().socket()); err != nil {
		t.Fatalf("the test needs a stale socket: %v", err)
	}
	second := mustLocal(t, o)
	if second.PID == first.PID || second.PID == 0 {
		t.Errorf("pid %d after the death of %d", second.PID, first.PID)
	}
}

func TestDaemonWithoutSocketIsReplaced(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	first := mustLocal(t, o)
	if err := os.Remove(o.state().socket()); err != nil { // as logind removes /run/user/<uid>
		t.Fatal(err)
	}
	second := mustLocal(t, o)
	if second.PID == first.PID {
		t.Error("the daemon without a socket was kept")
	}
	if err := syscall.Kill(first.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the old daemon still runs: %v", err)
	}
}

// A pid that belongs to another process by now is never signalled.
func TestReusedPIDIsNotOurs(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	if err := o.state().prepareDirs(); err != nil {
		t.Fatal(err)
	}
	if err := o.state().writeRecord(record{PID: os.Getpid(), Start: 1}); err != nil {
		t.Fatal(err)
	}
	if d := mustLocal(t, o); d.PID == os.Getpid() {
		t.Error("took this test for the daemon")
	}
}

func TestSilentDaemonIsAFault(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	d := mustLocal(t, o)
	if err := syscall.Kill(d.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(d.PID, syscall.SIGCONT) })
	_, err := o.startLocal(t.Context())
	if !fault.Is(err, fault.Embedded) || !strings.Contains(err.Error(), "runs but cannot be used") {
		t.Errorf("got %v", err)
	}
	if !fault.All(err)[0].Retry {
		t.Error("a busy daemon is worth a retry")
	}
}

func TestDaemonSeesOnlyItsEnvironment(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	ca := filepath.Join(shortDir(t), "ca.pem")
	if err := os.WriteFile(ca, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o.SSLCertFile = ca
	o.Env = []string{"https_proxy=http://proxy.example:3128", "AWS_SECRET_ACCESS_KEY=canary"}
	d := mustLocal(t, o)
	data, err := os.ReadFile(filepath.Join("/proc", jsonText(t, d.PID), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	env := string(data)
	for _, want := range []string{"SSL_CERT_FILE=" + ca, "https_proxy=http://proxy.example:3128", "/usr/sbin"} {
		if !strings.Contains(env, want) {
			t.Errorf("environment lacks %q", want)
		}
	}
	if strings.Contains(env, "canary") || strings.Contains(env, "MLBUILD") {
		t.Errorf("environment holds more than it should: %q", env)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOtherSettingsAreNoted(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	mustLocal(t, o)
	var notes []string
	o.Log = func(format string, _ ...any) { notes = append(notes, format) }
	mustLocal(t, o)
	if len(notes) != 0 {
		t.Errorf("notes for equal settings: %q", notes)
	}
	o.Env = []string{"HTTPS_PROXY=http://proxy.example:3128"}
	mustLocal(t, o)
	if len(notes) != 1 || !strings.Contains(notes[0], "other certificates, proxies or configuration") {
		t.Errorf("notes %q", notes)
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	o.Binary = filepath.Join(shortDir(t), "buildkitd") // never ready
	if err := os.WriteFile(o.Binary, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Log = func(string, ...any) { cancel() }
	if _, err := o.startLocal(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if rec := o.state().readRecord(); rec.PID != 0 {
		t.Errorf("record %+v is left", rec)
	}
}
