package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/mlbuild/mlbuild/builder/doctor"
)

// examined runs mlbuild doctor in a project, without a daemon, and returns its exit code, what it printed, and the errors.
func examined(t *testing.T, project string, variables []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "project")
	put := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dir, "mlbuild.yaml"), project)
	put(filepath.Join(dir, "main.py"), "print(1)\n")
	put(filepath.Join(home, "path", "docker"), "#!/bin/sh\nexit 0\n")
	if err := os.Chmod(filepath.Join(home, "path", "docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	e, out, errs := testEnv(append([]string{
		"HOME=" + home, "PATH=" + filepath.Join(home, "path"), "MLBUILD_STATE_DIR=" + filepath.Join(home, "state"), "BUILDKIT_HOST=unix://" + filepath.Join(home, "no.sock"),
	}, variables...)...)
	e.stdin, e.now, e.uid = strings.NewReader(""), time.Now, 1000
	code = run(t.Context(), e, append([]string{"doctor", dir}, args...))
	return code, strings.ReplaceAll(out.String(), home, "~"), strings.ReplaceAll(errs.String(), home, "~")
}

// openRegistry is a registry that asks for an account where one is named.
func openRegistry(account string) http.Handler {
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, ok := r.BasicAuth(); account != "" && (!ok || user != account) {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// projectOn is a project on Debian packages alone, whose image goes to a registry: nothing outside of this machine is asked.
func projectOn(host string) string {
	return "version: 1\nname: app\nimage: " + host + "/team/app\nbase: {kind: debian}\npython: {requirements: []}\napp: {copy: [main.py], command: [python3, main.py]}\n"
}

func has(t *testing.T, text string, want ...string) {
	t.Helper()
	plain := strings.Join(strings.Fields(text), " ")
	for _, w := range want {
		if !strings.Contains(plain, w) {
			t.Errorf("there is no %q in:\n%s", w, text)
		}
	}
}

// TestDoctorOfRegistries: an open one, and one that wants a login.
func TestDoctorOfRegistries(t *testing.T) {
	open := httptest.NewServer(openRegistry(""))
	defer open.Close()
	private := httptest.NewServer(openRegistry("ann"))
	defer private.Close()
	host := func(s *httptest.Server) string { _, h, _ := strings.Cut(s.URL, "://"); return h }

	code, stdout, stderr := examined(t, projectOn(host(open)), nil)
	has(t, stdout, "ok push "+host(open)+"/team/app: takes an upload, without a login", "ok clock: within a minute of "+host(open), "ok docker: ~/path/docker",
		"wrong daemon: cannot reach the daemon at unix://~/no.sock: there is no such socket", "fix: check the path, and that buildkitd runs", "ok variables: BUILDKIT_HOST=unix://~/no.sock, MLBUILD_STATE_DIR=~/state",
		"ok credentials: no file of docker or podman has any", "ok project: ~/project, profile cpu", "client's state: ~/state/client, ")
	if has(t, stderr, "error[E-DAEMON]: a build would fail here: daemon"); code != 1 || strings.Contains(stderr, "push") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}

	code, stdout, stderr = examined(t, projectOn(host(private)), nil)
	has(t, stdout, "wrong push "+host(private)+"/team/app: "+host(private)+" wants a login, and there is none", "fix: docker login "+host(private))
	if has(t, stderr, "a build would fail here: daemon, push "+host(private)+"/team/app"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	auth := []string{`DOCKER_AUTH_CONFIG={"auths": {"` + host(private) + `": {"auth": "YW5uOnNlY3JldA=="}}}`}
	t.Setenv("DOCKER_AUTH_CONFIG", auth[0][len("DOCKER_AUTH_CONFIG="):]) // docker's library reads it itself
	_, stdout, _ = examined(t, projectOn(host(private)), auth)
	has(t, stdout, "ok push "+host(private)+"/team/app: takes an upload, as ann")
}

// TestDoctorOfCertificates: a registry on TLS whose CA is a company's.
func TestDoctorOfCertificates(t *testing.T) {
	secure := httptest.NewUnstartedServer(openRegistry(""))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	project := strings.Replace(projectOn("127.0.0.1:1"), "python: {requirements: []}", "python: {requirements: [], indexes: [{name: own, url: \""+secure.URL+"/simple\"}]}", 1)
	_, stdout, _ := examined(t, project, nil)
	has(t, stdout, "warning index own: the certificate of "+strings.TrimPrefix(secure.URL, "https://")+" is signed by O=Acme Co, which this machine does not trust; the daemon may reach it", "fix: give the CA with --ca-cert FILE or SSL_CERT_FILE",
		"wrong push 127.0.0.1:1/team/app: 127.0.0.1:1 refuses connections: nothing listens there")
	_, stdout, _ = examined(t, project, nil, "--ca-cert", ca)
	has(t, stdout, "ok index own: "+secure.URL+"/simple answers", "ok certificates: those that this system trusts, and "+ca)
	code, stdout, _ := examined(t, project, nil, "--ca-cert", "/nowhere.pem")
	if has(t, stdout, "wrong certificates: cannot read the CA bundle /nowhere.pem"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	_, stdout, _ = examined(t, project, []string{"SSL_CERT_FILE=/nowhere.pem"})
	has(t, stdout, "warning certificates: SSL_CERT_FILE is not used: cannot read the CA bundle /nowhere.pem")
}

// TestDoctorOfProjects: what is wrong with the project is a check too; passwords of proxies are not shown.
func TestDoctorOfProjects(t *testing.T) {
	code, stdout, _ := examined(t, "version: 1\nnam: app\n", []string{"HTTPS_PROXY=http://ann:secret@proxy.example:3128"})
	has(t, stdout, "wrong project: unknown key \"nam\"", "fix: mlbuild plan shows all that is wrong with it", "HTTPS_PROXY=http://ann:xxxxx@proxy.example:3128")
	if code != 1 || strings.Contains(stdout, "secret") {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	code, _, stderr := examined(t, projectOn("127.0.0.1:1"), nil, "--profile", "nothing")
	if code != 1 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	_, stdout, _ = examined(t, projectOn("127.0.0.1:1"), nil, "--json", "--tag", "localhost:1/other:2")
	var doc doctorAnswer
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil {
		t.Fatal(err)
	}
	states := map[string]doctor.State{}
	for _, c := range doc.Checks {
		states[c.Name] = c.State
	}
	if doc.Version != 1 || len(doc.Errors) != 1 || states["daemon"] != doctor.Wrong || states["push localhost:1/other"] != doctor.Wrong || states["docker"] != doctor.OK {
		t.Errorf("%+v", doc)
	}
	if _, there := states["push 127.0.0.1:1/team/app"]; there {
		t.Error("--tag stands beside the project's image, not in its place")
	}
}
