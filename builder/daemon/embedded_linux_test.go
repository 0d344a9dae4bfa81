package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// mount makes dir a tmpfs of its own for the test.
func mount(t *testing.T, dir string, flags uintptr, data string) {
	t.Helper()
	needRoot(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, data); err != nil {
		needTestbed(t, "cannot mount a tmpfs: "+err.Error(), "run the tests with CAP_SYS_ADMIN")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestStateDirFaults(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	mount(t, dir+"/ro", syscall.MS_RDONLY, "")
	mount(t, dir+"/full", 0, "size=10m")
	mount(t, dir+"/inodes", 0, "size=2g,nr_inodes=1000")
	put(t, dir+"/file", "")
	if err := os.MkdirAll(dir+"/foreign", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir+"/foreign", 4242, 4242); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 100))
	for name, c := range map[string]struct {
		state string
		code  fault.Code
		texts []string
	}{
		"read-only":   {dir + "/ro/s", fault.Embedded, []string{"cannot write the state directory", "read-only", "MLBUILD_STATE_DIR"}},
		"disk full":   {dir + "/full", fault.Disk, []string{"has 10 MB free, at least 1000 MB are needed"}},
		"no inodes":   {dir + "/inodes", fault.Disk, []string{"inodes free"}},
		"other owner": {dir + "/foreign", fault.Embedded, []string{"belongs to uid 4242, not to you (uid 0)"}},
		"under file":  {dir + "/file/s", fault.Embedded, []string{"cannot write the state directory"}},
		"too long":    {long, fault.Embedded, []string{"longer than 107 bytes"}},
		"relative":    {"s", fault.Embedded, []string{"is not an absolute path"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{StateDir: c.state, Binary: "/bin/true", Path: os.Getenv("PATH")}
			_, err := o.startLocal(t.Context())
			wantFault(t, err, c.code, c.texts...)
		})
	}
}

// Another buildkitd on the same root, which no record of ours names.
func TestStateLockedByOtherDaemon(t *testing.T) {
	t.Parallel()
	o := localOptions(t)
	d := mustLocal(t, o)
	rec := o.state().readRecord()
	for _, path := range []string{o.state().recordPath(), o.state().socket()} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	_, err := o.startLocal(t.Context())
	wantFault(t, err, fault.Embedded, "another buildkitd uses its state directory", "fuser -v "+o.StateDir+"/root/buildkitd.lock")
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := rec.terminate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhyTheDaemonEnds(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for text, want := range map[string]string{
		"[rootlesskit:parent] error: failed to setup UID/GID map: newuidmap 1 [0 ...] failed": "uidmap",
		"fork/exec /proc/self/exe: operation not permitted":                                   "--privileged",
		"buildkitd: no worker found, rebuild the buildkit daemon?":                            "apt-get install -y runc",
		"failed to parse config: toml: expected":                                              "extra configuration",
		"a text of tomorrow":                                                                  "its log ends with:\na text of tomorrow",
	} {
		o := Options{StateDir: filepath.Join(shortDir(t), "s"), Path: os.Getenv("PATH")}
		o.Binary = filepath.Join(shortDir(t), "buildkitd")
		put(t, o.Binary, "#!/bin/sh\necho '"+text+"' >&2\nexit 1\n")
		_, err := o.startLocal(t.Context())
		wantFault(t, err, fault.Embedded, "the local daemon does not start", want, LogPath(o))
		if rec := o.state().readRecord(); rec.PID != 0 {
			t.Errorf("record %+v of a dead daemon is left", rec)
		}
	}
}

func TestLogMessagesDropStacks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	put(t, path, "starting\nbuildkitd: it broke\nmain.main\n\tmain.go:1\nruntime.goexit\n\tasm.s:2\nbye\n")
	if got := strings.Join(logMessages(path), "|"); got != "starting|buildkitd: it broke|bye" {
		t.Errorf("got %q", got)
	}
}

func TestUnreadableCA(t *testing.T) {
	t.Parallel()
	o := madeUpMachine(t)
	o.UID, o.SSLCertFile = os.Getuid(), "/nonexistent/ca.pem"
	_, err := o.startLocal(t.Context())
	wantFault(t, err, fault.Embedded, "cannot read the CA file", "/nonexistent/ca.pem", "--ca-cert")
}

func TestCheckDisk(t *testing.T) {
	t.Parallel()
	if err := CheckDisk(filepath.Join(t.TempDir(), "not", "yet"), 1); err != nil {
		t.Error(err)
	}
	wantFault(t, CheckDisk(t.TempDir(), 1<<62), fault.Disk, "MB are needed", "prune")
}

func TestLogsBeforeAnyStart(t *testing.T) {
	t.Parallel()
	o := Options{StateDir: t.TempDir()}
	wantFault(t, Logs(o, &strings.Builder{}), fault.Embedded, "never started", LogPath(o))
}
