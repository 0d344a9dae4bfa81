package integration

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/mlbuild/mlbuild/builder/doctor"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// examination is mlbuild doctor on one machine, as its variables make it.
type examination struct {
	bin, home, project string
	env                []string
}

// run returns the exit code, and the checks by their names.
func (x examination) run(t *testing.T, args ...string) (code int, checks map[string]doctor.Check) {
	t.Helper()
	cmd := exec.Command(filepath.Join(x.bin, "mlbuild"), append([]string{"doctor", "--json", x.project}, args...)...)
	cmd.Env = append([]string{"HOME=" + x.home, "PATH=" + os.Getenv("PATH"), "MLBUILD_STATE_DIR=" + filepath.Join(x.home, "state")}, x.env...)
	stdout, err := cmd.Output()
	failed := new(exec.ExitError)
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	var doc struct{ Checks []doctor.Check }
	if err := json.Unmarshal(stdout, &doc); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	checks = map[string]doctor.Check{}
	for _, c := range doc.Checks {
		checks[c.Name] = c
	}
	return cmd.ProcessState.ExitCode(), checks
}

// is holds a check against what it is to be: its state, and parts of what was found and of what mends it.
func is(t *testing.T, checks map[string]doctor.Check, name string, state doctor.State, found, fix string) {
	t.Helper()
	if c, ok := checks[name]; !ok || c.State != state || !strings.Contains(c.Found, found) || !strings.Contains(c.Fix, fix) {
		t.Errorf("%s is %+v, not %s with %q and %q", name, checks[name], state, found, fix)
	}
}

func examine(t *testing.T, tb *testbed.Testbed, image string) examination {
	t.Helper()
	home := t.TempDir()
	x := examination{bin: programs(t, "mlbuild"), home: home, project: filepath.Join(home, "project"), env: []string{"BUILDKIT_HOST=" + tb.Daemon.Addr()}}
	if err := os.Mkdir(x.project, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mlbuild.yaml": "version: 1\nname: app\nimage: " + image + "\npython: {version: \"3.11\", requirements: []}\napp: {copy: [main.py], command: [python, main.py]}\n",
		"main.py":      "print(1)\n",
	} {
		if err := os.WriteFile(filepath.Join(x.project, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// TestDoctor: a machine on which a build works, and then without its daemon; nothing is left in the registry.
func TestDoctor(t *testing.T) {
	t.Parallel()
	tb := testbed.Shared(t)
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	x := examine(t, tb, reg.Ref("team/app"))
	code, checks := x.run(t)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	is(t, checks, "daemon", doctor.OK, "(BUILDKIT_HOST), buildkit v", "")
	is(t, checks, "platforms", doctor.OK, "linux/", "")
	is(t, checks, "snapshotter", doctor.OK, "", "")
	is(t, checks, "cache", doctor.OK, "B", "")
	is(t, checks, "push "+reg.Ref("team/app"), doctor.OK, "takes an upload, without a login", "")
	is(t, checks, "base docker.io/library/python:3.11-slim", doctor.OK, "the daemon finds it for linux/", "") // on its mirror
	is(t, checks, "clock", doctor.OK, "within a minute of ", "")
	is(t, checks, "client's state", doctor.OK, "free", "")
	var left []string
	for _, a := range reg.Log() {
		left = append(left, a.Method)
	}
	if said := strings.Join(left, " "); said != "GET POST DELETE GET" { // contact, upload and its end, the tag that is not there
		t.Errorf("the registry was asked: %s", said)
	}

	x.env = []string{"BUILDKIT_HOST=unix://" + filepath.Join(x.home, "no.sock")}
	code, checks = x.run(t)
	if code != 1 {
		t.Errorf("without a daemon: exit code %d", code)
	}
	is(t, checks, "daemon", doctor.Wrong, "there is no such socket", "check the path, and that buildkitd runs")
	is(t, checks, "push "+reg.Ref("team/app"), doctor.OK, "takes an upload", "")
	if _, err := os.Stat(filepath.Join(x.home, "state")); !errors.Is(err, os.ErrNotExist) {
		t.Error("it made a directory for state")
	}
}

// TestDoctorOfALogin: a registry that wants an account, without one, with a wrong one and with the right one.
func TestDoctorOfALogin(t *testing.T) {
	t.Parallel()
	tb := testbed.Shared(t)
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{Auth: &testbed.BasicAuth{User: "ann", Password: "right"}})
	x := examine(t, tb, reg.Ref("team/app"))
	code, checks := x.run(t)
	is(t, checks, "push "+reg.Ref("team/app"), doctor.Wrong, reg.Addr+" wants a login, and there is none", "docker login "+reg.Addr)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	login := func(auth string) {
		t.Helper()
		dir := filepath.Join(x.home, ".docker")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths": {"`+reg.Addr+`": {"auth": "`+auth+`"}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login("YW5uOndyb25n") // ann:wrong
	_, checks = x.run(t)
	is(t, checks, "push "+reg.Ref("team/app"), doctor.Wrong, reg.Addr+" rejects the credentials, as ann", "docker login "+reg.Addr)
	login("YW5uOnJpZ2h0") // ann:right
	code, checks = x.run(t)
	is(t, checks, "push "+reg.Ref("team/app"), doctor.OK, "takes an upload, as ann", "")
	is(t, checks, "credentials", doctor.OK, "config.json", "")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// outside is an address of this machine that is not loopback: there registries are asked by https.
func outside(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// TestDoctorOfACompanysCA: a registry whose certificate is signed by a CA that this machine does not know, until --ca-cert names it.
func TestDoctorOfACompanysCA(t *testing.T) {
	t.Parallel()
	tb, ip := testbed.Shared(t), outside(t)
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Certificate(ip)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{
		Handler: ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))), ErrorLog: log.New(io.Discard, "", 0),
	}, TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}
	server.StartTLS()
	t.Cleanup(server.Close)
	host := l.Addr().String()
	x := examine(t, tb, host+"/team/app")
	code, checks := x.run(t)
	is(t, checks, "push "+host+"/team/app", doctor.Wrong, "the certificate of "+host+" is signed by ", "--ca-cert FILE")
	is(t, checks, "push "+host+"/team/app", doctor.Wrong, "which this machine does not trust", "")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	file := filepath.Join(x.home, "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	code, checks = x.run(t, "--ca-cert", file)
	is(t, checks, "push "+host+"/team/app", doctor.OK, "takes an upload", "")
	is(t, checks, "clock", doctor.OK, "within a minute", "")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestDoctorOfAFullDisk: the client's state lies on a file system that has no room left.
func TestDoctorOfAFullDisk(t *testing.T) {
	tb := testbed.Shared(t)
	x := examine(t, tb, tb.Registry.Ref("team/app"))
	small := filepath.Join(x.home, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=4m"); err != nil {
		testbed.SkipMissing(t, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, 0) })
	x.env = append(x.env, "MLBUILD_STATE_DIR="+filepath.Join(small, "state"))
	code, checks := x.run(t)
	is(t, checks, "client's state", doctor.Wrong, small, "free some space there")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
}
