package daemon

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

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// helperEnv makes this test binary act as another mlbuild process, see runHelper.
const helperEnv = "MLBUILD_TEST_DAEMON_HELPER"

func TestMain(m *testing.M) {
	if order := os.Getenv(helperEnv); order != "" {
		os.Exit(runHelper(order))
	}
	os.Exit(m.Run())
}

// helperAnswer is what a helper process prints.
type helperAnswer struct {
	PID         int
	Snapshotter string
	Fault       string
	Status      Status
}

// runHelper carries out "find", "status" or "stop" with the Options that stdin holds as JSON.
func runHelper(order string) int {
	var o struct {
		StateDir, RuntimeDir, Binary, Path, User, Home, SSLCertFile string
		UID                                                         int
	}
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return 2
	}
	opts := Options{StateDir: o.StateDir, RuntimeDir: o.RuntimeDir, Binary: o.Binary, Path: o.Path, User: o.User, Home: o.Home,
		UID: o.UID, SSLCertFile: o.SSLCertFile}
	var answer helperAnswer
	var err error
	switch order {
	case "find":
		var d *Daemon
		if d, err = onlyLocal(context.Background(), opts); err == nil {
			answer.PID, answer.Snapshotter = d.PID, d.Snapshotter()
		}
	case "status":
		answer.Status, err = Inspect(context.Background(), opts)
	case "stop":
		err = Stop(context.Background(), opts)
	}
	if err != nil {
		answer.Fault = fmt.Sprint(err, " ", fault.All(err)[0].Hints)
	}
	if json.NewEncoder(os.Stdout).Encode(answer) != nil {
		return 2
	}
	return 0
}

// otherUser is an account of the machine that lasts for one test, with files it may run.
type otherUser struct {
	opts   Options
	helper string
	cred   *syscall.Credential
}

func newUser(t *testing.T) otherUser {
	t.Helper()
	needRoot(t)
	binary := builtDaemon(t)
	for _, tool := range []string{"useradd", "rootlesskit", "newuidmap"} {
		if lookIn(Options{Path: os.Getenv("PATH")}.machine().toolDirs(), tool) == "" {
			needTestbed(t, tool+" is missing", "run: apt-get install -y passwd rootlesskit uidmap")
		}
	}
	name, home := fmt.Sprintf("mlbt%d", os.Getpid()), filepath.Join(shortDir(t), "h")
	mustRun(t, "useradd", "--create-home", "--home-dir", home, name)
	t.Cleanup(func() { mustRun(t, "userdel", name) })
	if err := os.Chmod(filepath.Dir(home), 0o755); err != nil {
		t.Fatal(err)
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	copyProgram(t, binary, filepath.Join(home, "buildkitd"))
	copyProgram(t, os.Args[0], filepath.Join(home, "helper"))
	return otherUser{
		opts: Options{StateDir: filepath.Join(home, "s"), Binary: filepath.Join(home, "buildkitd"), Path: "/usr/bin:/bin",
			User: name, Home: home, UID: uid},
		helper: filepath.Join(home, "helper"),
		cred:   &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}
}

func mustRun(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
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

// do runs the helper as the user.
func (u otherUser) do(t *testing.T, order string) helperAnswer {
	t.Helper()
	cmd := exec.Command(u.helper)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: u.cred}
	cmd.Env, cmd.Dir = []string{helperEnv + "=" + order, "HOME=" + u.opts.Home, "PATH=/usr/bin:/bin"}, u.opts.Home
	opts := u.opts
	opts.Log = nil
	in, err := json.Marshal(map[string]any{"StateDir": opts.StateDir, "RuntimeDir": opts.RuntimeDir, "Binary": opts.Binary,
		"Path": opts.Path, "User": opts.User, "Home": opts.Home, "UID": opts.UID, "SSLCertFile": opts.SSLCertFile})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", order, err)
	}
	var answer helperAnswer
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%s printed %q: %v", order, out, err)
	}
	return answer
}

func TestOrdinaryUserGetsRootlessDaemon(t *testing.T) {
	u := newUser(t)
	t.Cleanup(func() { u.do(t, "stop") })
	u.opts.SSLCertFile = filepath.Join(u.opts.Home, "ca.pem")
	if err := os.WriteFile(u.opts.SSLCertFile, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	first := u.do(t, "find")
	if first.Fault != "" || first.PID == 0 {
		t.Fatalf("no daemon: %+v", first)
	}
	if owner := ownerOf(fmt.Sprintf("/proc/%d", first.PID)); owner != u.opts.UID {
		t.Errorf("the daemon runs as uid %d, want %d", owner, u.opts.UID)
	}
	if again := u.do(t, "find"); again.PID != first.PID {
		t.Errorf("second process got pid %d, want %d: the daemon must outlive its starter", again.PID, first.PID)
	}
	s := u.do(t, "status").Status
	if !s.Running || !s.Answers || !s.Rootless || s.PID != first.PID {
		t.Errorf("status %+v", s)
	}
	for _, n := range s.Needs {
		if !n.OK && !n.Weak {
			t.Errorf("it runs although %s is said to be missing: %s", n.Name, n.Detail)
		}
	}
	if stopped := u.do(t, "stop"); stopped.Fault != "" {
		t.Error(stopped.Fault)
	}
	if state, _, err := procStat(first.PID); err == nil && state != "Z" {
		t.Errorf("pid %d is still there after stop, in state %s", first.PID, state)
	}
}

func TestRacingProcessesOfOneUserStartOne(t *testing.T) {
	u := newUser(t)
	t.Cleanup(func() { u.do(t, "stop") })
	var mu sync.Mutex
	pids := map[int]int{}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			answer := u.do(t, "find")
			mu.Lock()
			defer mu.Unlock()
			pids[answer.PID]++
		})
	}
	all.Wait()
	if len(pids) != 1 || pids[0] != 0 {
		t.Errorf("pids %v, want one for all ten", pids)
	}
	// A kill leaves socket and rootlesskit's state; the next run replaces both.
	for pid := range pids {
		if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		(record{PID: pid, Start: mustStart(t, pid)}).gone(t.Context(), killPatience)
	}
	if answer := u.do(t, "find"); answer.Fault != "" || pids[answer.PID] != 0 {
		t.Errorf("after the kill: %+v", answer)
	}
}

func mustStart(t *testing.T, pid int) uint64 {
	t.Helper()
	_, start, err := procStat(pid)
	if err != nil {
		return 0
	}
	return start
}

func TestUserWithoutSubordinateIDs(t *testing.T) {
	u := newUser(t)
	mustRun(t, "usermod", "--del-subuids", "0-4294967294", u.opts.User)
	answer := u.do(t, "find")
	for _, want := range []string{"E-EMBEDDED", "subuid (0 ids", "sudo usermod --add-subuids 100000-165535 " + u.opts.User} {
		if !strings.Contains(answer.Fault, want) {
			t.Errorf("fault %q lacks %q", answer.Fault, want)
		}
	}
}
