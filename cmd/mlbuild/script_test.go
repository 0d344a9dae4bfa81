package main

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func TestMain(m *testing.M) {
	testscript.Main(withTestbed{m}, map[string]func(){"mlbuild": main})
}

// withTestbed stops the shared testbed after the tests.
type withTestbed struct{ m *testing.M }

// Run implements testscript.TestingM.
func (w withTestbed) Run() int { return testbed.Main(w.m) }

// The scripts read like a manual of the command line. None needs a daemon, and none may find one of this machine.
func TestScripts(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	runScripts(t, "testdata", map[string]string{
		"CLOSED_PORT": closedPort(t), "WEB_SERVER": "tcp://" + strings.TrimPrefix(web.URL, "http://"), "IMAGES": someRegistry(t),
	})
}

// What the commands do on a real daemon and a real registry.
func TestBuiltScripts(t *testing.T) {
	tb := testbed.Shared(t)
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	runScripts(t, filepath.Join("testdata", "built"), map[string]string{
		"BUILDKIT_HOST": tb.Daemon.Addr(), "REGISTRY": tb.Registry.Addr, "SSL_CERT_FILE": os.Getenv("SSL_CERT_FILE"), "TOOLS": bin,
	})
}

func runScripts(t *testing.T, dir string, variables map[string]string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("MLBUILD_STATE_DIR", filepath.Join(e.WorkDir, ".state"))
			e.Setenv("DOCKER_CONFIG", filepath.Join(e.WorkDir, ".docker"))
			e.Setenv("NO_DAEMON", "unix://"+filepath.Join(e.WorkDir, "no.sock"))
			for _, name := range sortedKeys(variables) {
				e.Setenv(name, variables[name])
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": exitsWith, "interrupt": interrupted},
	})
}

// exitsWith runs a command and compares its exit code: code 75 mlbuild build. Its output is there for stdout and stderr.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code NUMBER COMMAND [ARGUMENT…]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// closedPort is an address on loopback at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := "tcp://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

// interrupted runs a command, sends it SIGINT when its stderr has the text, and wants exit code 130: interrupt TEXT COMMAND [ARGUMENT…].
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt TEXT COMMAND [ARGUMENT…]")
	}
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "MLBUILD_STATE_DIR", "DOCKER_CONFIG", "BUILDKIT_HOST", "SSL_CERT_FILE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var said strings.Builder
	for lines, sent := bufio.NewScanner(out), false; lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if !sent && strings.Contains(lines.Text(), args[0]) {
			sent = true
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	_ = cmd.Wait()
	ts.Logf("%s", said.String())
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said.String(), "E-CANCELLED") {
		ts.Fatalf("exit code %d, want 130 and E-CANCELLED", code)
	}
}
