package integration

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestDaemonKilled ends the daemon while it waits for a download.
func TestDaemonKilled(t *testing.T) {
	reg := testbed.Shared(t).Registry
	d := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: reg})
	b := connect(t, d.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := indexed(t, x, "one", "")
	p.handLock(x, entry{name: "one", version: "1.0", files: []string{pure(x, "one", "1.0")}})
	killed := make(chan time.Time, 1)
	x.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".whl") {
			d.Kill()
			killed <- time.Now()
			<-r.Context().Done()
		}
		return false
	})
	err := p.try(b)
	want{code: fault.DaemonLost, says: []string{d.Addr()}, hints: []string{"finished steps are cached"}, retry: true}.check(t, err)
	if took := time.Since(<-killed); took > 10*time.Second {
		t.Errorf("it took %v to notice", took)
	}
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
