package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// laptop is a machine without a daemon: an account with mlbuild and the buildkitd beside it, a project, and a registry.
type laptop struct {
	t       *testing.T
	reg     *testbed.Registry
	mlbuild program
	project string
	state   string
}

// newLaptop makes one below dir for the account; nil is root. Its daemon is stopped by its pid when the test ends.
func newLaptop(t *testing.T, dir string, account *user.User) *laptop {
	t.Helper()
	tb := testbed.Shared(t)
	noDaemonHere(t)
	l := &laptop{t: t, reg: tb.Registry, project: filepath.Join(dir, "project"), state: filepath.Join(dir, "state")}
	bin := programs(t, "mlbuild", "buildkitd")
	l.mlbuild = program{path: filepath.Join(bin, "mlbuild"), dir: dir, env: l.environment(dir)}
	b := connect(t, tb.Daemon.Addr())
	p := lockedTiny(t, b)
	p.pinFile(b)
	if err := os.CopyFS(l.project, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("[registry.\"docker.io\"]\nmirrors = [%q]\n[registry.%q]\nhttp = true\n", l.reg.Addr, l.reg.Addr)
	if err := os.WriteFile(filepath.Join(dir, "buildkitd.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if account != nil {
		l.mlbuild.env = append(l.mlbuild.env, "USER="+account.Username)
		l.mlbuild.path = filepath.Join(dir, "mlbuild")
		for _, name := range []string{"mlbuild", "buildkitd"} {
			copyProgram(t, filepath.Join(bin, name), filepath.Join(dir, name))
		}
		l.mlbuild.cred = give(t, dir, account)
	}
	t.Cleanup(l.clear)
	return l
}

// environment names no daemon, and only what the daemon needs to know of this machine's network.
func (l *laptop) environment(dir string) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "MLBUILD_STATE_DIR=" + l.state,
		"MLBUILD_DAEMON_CONFIG=" + filepath.Join(dir, "buildkitd.toml"), "SSL_CERT_FILE=" + os.Getenv("SSL_CERT_FILE"),
	}
}

// noDaemonHere skips where mlbuild would find a daemon of the machine and start none.
func noDaemonHere(t *testing.T) {
	t.Helper()
	for _, socket := range []string{"/run/buildkit/buildkitd.sock", "/run/user/0/buildkit/buildkitd.sock"} {
		if _, err := os.Stat(socket); err == nil {
			t.Skipf("a daemon listens at %s", socket)
		}
	}
}

// clear stops what the test left running, by its pid, and removes its state.
func (l *laptop) clear() {
	if s := l.status(); s.PID != 0 {
		l.must("daemon", "stop")
	}
	if s := l.status(); s.PID != 0 && lives(s.PID) {
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
		l.t.Errorf("daemon stop left pid %d", s.PID)
	}
	// What a rootless daemon wrote belongs to subordinate users.
	if err := os.RemoveAll(l.state); err != nil {
		l.t.Error(err)
	}
}

// must runs mlbuild in the project; it has to end with 0.
func (l *laptop) must(args ...string) said {
	l.t.Helper()
	p := l.mlbuild
	p.dir = l.project
	got, err := p.run(context.WithoutCancel(l.t.Context()), args...) // also in a Cleanup
	if err != nil || got.code != 0 {
		l.t.Errorf("mlbuild %q: code %d, %v\n%s%s", args, got.code, err, got.stdout, got.stderr)
	}
	return got
}

// daemonStatus is what `mlbuild daemon status --json` tells.
type daemonStatus struct {
	Running  bool `json:"running"`
	Answers  bool `json:"answers"`
	Rootless bool `json:"rootless"`
	PID      int  `json:"pid"`
}

func (l *laptop) status() daemonStatus {
	l.t.Helper()
	var s daemonStatus
	if err := json.Unmarshal([]byte(l.must("daemon", "status", "--json").stdout), &s); err != nil {
		l.t.Error(err)
	}
	return s
}

// push builds the project into a tag and returns the digest that the registry then has.
func (l *laptop) push(repoTag string) (said, string) {
	l.t.Helper()
	got := l.must("--locked", "--no-own-cache", "--push", "--tag", l.reg.Ref(repoTag))
	digest, err := l.reg.Digest(l.t.Context(), repoTag)
	if err != nil {
		l.t.Error(err)
	}
	return got, digest
}

// checkLife starts a daemon by the first build, finds it again in the second, and stops it.
func (l *laptop) checkLife(repository string) {
	l.t.Helper()
	if s := l.status(); s.Running {
		l.t.Fatalf("a daemon runs before the first build: %+v", s)
	}
	first, before := l.push(repository + ":1")
	if !strings.Contains(first.stderr, "starting a local buildkitd") {
		l.t.Errorf("the first run says\n%s", first.stderr)
	}
	s := l.status()
	if !s.Running || !s.Answers || s.PID == 0 {
		l.t.Fatalf("status after the first build: %+v", s)
	}
	second, after := l.push(repository + ":2")
	if strings.Contains(second.stderr, "starting") || l.status().PID != s.PID || before != after {
		l.t.Errorf("the second run gives %s after %s and says\n%s", after, before, second.stderr)
	}
	l.must("daemon", "stop")
	if lives(s.PID) || l.status().Running {
		l.t.Errorf("pid %d is there after daemon stop", s.PID)
	}
}

// lives reports whether a process runs; one that has ended and waits for its parent does not.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// checkRace lets ten runs race for the first daemon.
func (l *laptop) checkRace(repository string) {
	l.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	started, digests := 0, map[string]int{}
	for i := range 10 {
		all.Go(func() {
			got, digest := l.push(fmt.Sprintf("%s-%d:1", repository, i))
			mu.Lock()
			defer mu.Unlock()
			started += strings.Count(got.stderr, "starting a local buildkitd")
			digests[digest]++
		})
	}
	all.Wait()
	if started != 1 || len(digests) != 1 {
		l.t.Errorf("%d daemons were started, images %v", started, digests)
	}
	if n := l.daemons(); n != 1 {
		l.t.Errorf("%d daemons run", n)
	}
}

// daemons counts the processes that serve this state directory; rootlesskit's own are left out.
func (l *laptop) daemons() int {
	l.t.Helper()
	n := 0
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range files {
		data, _ := os.ReadFile(f) // the process may be gone
		args := strings.Split(string(data), "\x00")
		if filepath.Base(args[0]) == "buildkitd" && strings.Contains(string(data), l.state) {
			n++
		}
	}
	return n
}

func TestDaemonlessRoot(t *testing.T) {
	l := newLaptop(t, shortDir(t), nil)
	l.checkLife("root")
	l.checkRace("root-race")
}

func TestDaemonlessUser(t *testing.T) {
	testbed.Require(t)
	dir, account := newAccount(t)
	l := newLaptop(t, dir, account)
	l.checkLife("user")
	l.checkRace("user-race")
	if s := l.status(); !s.Rootless {
		t.Errorf("status %+v", s)
	}
	if info, err := os.Stat(fmt.Sprintf("/proc/%d", l.status().PID)); err != nil || strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)) != account.Uid {
		t.Errorf("the daemon is not the user's: %v, %v", info, err)
	}
}

// shortDir is a directory with a path short enough for sockets, which every account may pass.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mlb-it-") //nolint:usetesting // t.TempDir is too long a path, and closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newAccount makes an ordinary account for the time of the test, with subordinate ids.
func newAccount(t *testing.T) (string, *user.User) {
	t.Helper()
	for _, tool := range []string{"useradd", "rootlesskit", "newuidmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			testbed.SkipMissing(t, &testbed.MissingError{What: tool + " is not installed", Remedy: "make testbed-deps"})
		}
	}
	dir := filepath.Join(shortDir(t), "h")
	name := fmt.Sprintf("mlbit%d", os.Getpid())
	if out, err := exec.Command("useradd", "--create-home", "--home-dir", dir, name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("userdel", name).CombinedOutput(); err != nil {
			t.Errorf("userdel: %v\n%s", err, out)
		}
	})
	account, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return dir, account
}

// give makes the account own dir and returns its credentials.
func give(t *testing.T, dir string, account *user.User) *syscall.Credential {
	t.Helper()
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(uid), int(gid))
	})
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
