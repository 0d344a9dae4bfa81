package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mlbuild": func() { os.Exit(run(context.Background(), processEnv(), os.Args[1:])) },
	})
}

// The scripts read like a manual of the command line. None needs a daemon, and none may find one of this machine.
func TestScripts(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("MLBUILD_STATE_DIR", filepath.Join(e.WorkDir, ".state"))
			e.Setenv("DOCKER_CONFIG", filepath.Join(e.WorkDir, ".docker"))
			e.Setenv("NO_DAEMON", "unix://"+filepath.Join(e.WorkDir, "no.sock"))
			e.Setenv("CLOSED_PORT", closedPort(t))
			e.Setenv("WEB_SERVER", "tcp://"+strings.TrimPrefix(web.URL, "http://"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": exitsWith},
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
