package testbed_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// A test binary that is killed takes its daemon along, and the next start removes what it left.
func TestKilledOwnerLeavesNothing(t *testing.T) {
	if addr := os.Getenv("TESTBED_KILLED_OWNER"); addr != "" {
		d := testbed.NewDaemon(t, testbed.DaemonOptions{})
		if err := os.WriteFile(addr, []byte(strconv.Itoa(d.Pid())+" "+d.Addr()), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	testbed.Require(t)
	note := filepath.Join(t.TempDir(), "note")
	owner := exec.Command(os.Args[0], "-test.run", "^TestKilledOwnerLeavesNothing$")
	owner.Env = append(os.Environ(), "TESTBED_KILLED_OWNER="+note)
	if out, err := owner.CombinedOutput(); err == nil {
		t.Fatalf("the owner was not killed: %s", out)
	}
	data, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	pid, addr, _ := strings.Cut(string(data), " ")
	awaitGone(t, "/proc/"+pid)
	testbed.NewDaemon(t, testbed.DaemonOptions{})
	if _, err := os.Stat(filepath.Dir(strings.TrimPrefix(addr, "unix://"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state of the killed daemon is still there: %v", err)
	}
}

func awaitGone(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s is still there", path)
}

// A daemon that starts again on a kept root still has its state.
func TestDaemonKeepsARoot(t *testing.T) {
	testbed.Require(t)
	root := t.TempDir()
	for i := range 2 {
		d := testbed.NewDaemon(t, testbed.DaemonOptions{Root: root})
		c, err := d.Client(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		usage, err := c.DiskUsage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kept := len(usage) > 0; kept != (i > 0) {
			t.Errorf("start %d: %d records", i, len(usage))
		}
		if i == 0 {
			reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
			if err := testbed.PushFile(t.Context(), c, reg.Ref("a/b:1"), "f", "x"); err != nil {
				t.Fatal(err)
			}
		}
		_ = c.Close()
		if err := d.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// A request can be answered by the test, or broken off.
func TestIntercept(t *testing.T) {
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		switch req.URL.Path {
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/slow-down":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	if resp, err := http.Get(x.URL + "/broken"); err == nil {
		resp.Body.Close()
		t.Errorf("got %s from a broken connection", resp.Status)
	}
	resp, err := http.Get(x.URL + "/slow-down")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("got %v", resp)
	}
	body(t, x.Simple()+"/torch/", http.StatusOK)
}
