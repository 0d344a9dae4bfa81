package integration

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestDaemonKilled ends the daemon in each phase of a build.
func TestDaemonKilled(t *testing.T) {
	testbed.Require(t)
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	tinyBase(t, reg.Ref("faults/base:1"), nil)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	file := pure(x, "one", "1.0")
	for _, test := range []struct {
		phase string
		log   *testbed.AccessLog
		at    func(*http.Request) bool
	}{
		{"lookup", reg.AccessLog, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/faults/base/") }},
		{"download", x.AccessLog, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, file) }},
		{"push", reg.AccessLog, func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/v2/team/app/") && r.Method == http.MethodPost
		}},
		{"tag", reg.AccessLog, func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/v2/team/app/manifests/") && r.Method == http.MethodPut
		}},
	} {
		t.Run(test.phase, func(t *testing.T) {
			d := testbed.NewDaemon(t, testbed.DaemonOptions{})
			b := connect(t, d.Addr())
			p := indexed(t, x, "one", "user: root\nbase: {image: \""+reg.Ref("faults/base:1")+"\", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\n")
			p.handLock(x, entry{name: "one", version: "1.0", files: []string{file}})
			killed := make(chan time.Time, 10)
			test.log.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				if !test.at(r) {
					return false
				}
				d.Kill()
				killed <- time.Now()
				panic(http.ErrAbortHandler)
			})
			t.Cleanup(func() { test.log.Fail(nil) })
			err := p.attempt(b, p.request(p.variant("cpu", reg.Ref("team/app:1"))))
			want{code: fault.DaemonLost, hints: []string{"finished steps are cached"}, retry: true}.check(t, err)
			if took := time.Since(<-killed); took > 10*time.Second {
				t.Errorf("it took %v to notice", took)
			}
			test.log.Fail(nil)
			if at, err := reg.Digest(t.Context(), "team/app:1"); err == nil {
				t.Errorf("the tag is at %s", at)
			}
		})
	}
}

// TestCancelled stops a build while it waits for a download; the daemon is free for the next one.
func TestCancelled(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	file := pure(x, "one", "1.0")
	p := indexed(t, x, "one", "")
	p.handLock(x, entry{name: "one", version: "1.0", files: []string{file}})
	ctx, cancel := context.WithCancel(t.Context())
	var stopped time.Time
	stop := sync.OnceFunc(func() { stopped = time.Now(); cancel() })
	x.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, file) {
			stop()
			<-r.Context().Done()
		}
		return false
	})
	_, err := b.Build(ctx, p.quiet(p.variant("cpu")))
	took := time.Since(stopped)
	all := fault.All(err)
	if len(all) != 1 || all[0].Code != fault.Cancelled || all[0].Retry {
		t.Errorf("got %v, want one %s", err, fault.Cancelled)
	}
	if took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	x.Fail(nil)
	p.succeeds(b)
}

// tmpfs mounts a small file system for a daemon's state.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		testbed.SkipMissing(t, &testbed.MissingError{What: "cannot mount a tmpfs: " + err.Error(), Remedy: "sudo make test"})
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDaemonDiskFull gives daemons too little room: for the download itself, and for what is unpacked.
func TestDaemonDiskFull(t *testing.T) {
	reg := testbed.Shared(t).Registry
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "large", "1.0", pureTag, map[string]string{"large/data": strings.Repeat("0123456789abcde\n", 3<<20)}, wheeltest.Stored()) // 48 MiB
	for name, size := range map[string]string{"download": "32m", "unpack": "88m"} {
		t.Run(name, func(t *testing.T) {
			d := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: reg, Root: filepath.Join(tmpfs(t, size), "r")})
			b := connect(t, d.Addr())
			p := indexed(t, x, "large", "base: {image: "+reg.Ref("faults/small:1")+", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\nuser: root\n")
			tinyBase(t, reg.Ref("faults/small:1"), nil)
			p.handLock(x, entry{name: "large", version: "1.0", files: []string{wheeltest.Filename("large", "1.0", pureTag)}})
			err := p.try(b)
			want{code: fault.Disk, says: []string{"disk is full"}, hints: []string{"prune", "mlbuild daemon status"}}.check(t, err)
		})
	}
}
