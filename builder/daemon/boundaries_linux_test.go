package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// socketIn listens in a directory and gives the socket and the directory to users.
func socketIn(t *testing.T, owner, dirOwner int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "buildkitd.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for name, uid := range map[string]int{path: owner, dir: dirOwner} {
		if err := os.Chown(name, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestSocketsOfOthers: a socket that mlbuild finds by itself must be the user's or root's, that of the local default the user's own; one that the user names may be anybody's.
func TestSocketsOfOthers(t *testing.T) {
	for _, c := range []struct {
		owner, dir, uid int
		found, local    bool
	}{
		{0, 0, 0, true, true}, {0, 0, 1000, true, false}, {1000, 1000, 1000, true, true}, {1000, 1000, 0, false, false}, {4242, 0, 1000, false, false},
		{4242, 4242, 1000, false, false}, {1000, 4242, 1000, false, false}, {0, 4242, 1000, false, false}, {1000, 0, 1000, true, true},
	} {
		path := socketIn(t, c.owner, c.dir)
		if err := checkOwner(path, c.uid, 0); (err == nil) != c.found || err != nil && !fault.Is(err, fault.Daemon) {
			t.Errorf("%+v found: %v", c, err)
		}
		if err := checkOwner(path, c.uid); (err == nil) != c.local {
			t.Errorf("%+v as the local default: %v", c, err)
		}
	}
	path := socketIn(t, 4242, 4242)
	if _, err := (Options{UID: 0}).probe(t.Context(), "unix://"+path, SourceSocket); err == nil || !strings.Contains(err.Error(), "belongs to uid 4242, so it is not used") {
		t.Errorf("probe: %v", err)
	}
	o := Options{UID: 0, StateDir: t.TempDir(), RuntimeDir: filepath.Dir(path)}
	if _, err := o.findLocal(t.Context()); err == nil || !strings.Contains(err.Error(), "belongs to uid 4242, so it is not used") {
		t.Errorf("the local default: %v", err)
	}
}

// TestTemporaryFilesOfTheDaemon lie where nobody else looks, and are gone at the next start, mounts included.
func TestTemporaryFilesOfTheDaemon(t *testing.T) {
	o := Options{StateDir: t.TempDir(), Path: os.Getenv("PATH")}
	dir := filepath.Join(o.StateDir, "tmp")
	if len(dir) <= maxTemporary && !slices.Contains(o.environment(), "TMPDIR="+dir) {
		t.Errorf("%q", o.environment())
	}
	dir = o.state().temporary()
	left := filepath.Join(dir, "buildkit-secrets1")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", left, "tmpfs", 0, ""); err != nil {
		t.Logf("without a mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(left, syscall.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(left, "token"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.state().emptyTemporary(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	info, statErr := os.Stat(dir)
	if err != nil || statErr != nil || len(entries) > 0 || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v, %v, %v", entries, err, info.Mode(), statErr)
	}
	long := state{dir: "/" + strings.Repeat("d", 80), sockets: "/run/user/1000/mlbuild"}
	if got := long.temporary(); got != "/run/user/1000/mlbuild/tmp" {
		t.Errorf("of a long state directory: %s", got)
	}
}

// TestHintsNameNoFlagThatIsNotThere: the state directory is named by a variable.
func TestHintsNameNoFlagThatIsNotThere(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if flag := "--state" + "-dir"; strings.Contains(string(text), flag+" ") || strings.Contains(string(text), flag+`"`) {
			t.Errorf("%s names %s", name, flag)
		}
	}
}
