package service

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
)

// local is an address on a port of all interfaces.
func local(port int) string { return fmt.Sprintf(":%d", port) }

// wantFaults wants one fault for each text, which says it in its sentence or, behind " | ", in its hints.
func wantFaults(t *testing.T, r check.Report, want ...string) {
	t.Helper()
	if len(r.Faults) != len(want) {
		t.Fatalf("got %d faults, want %d: %+v", len(r.Faults), len(want), r.Faults)
	}
	for i, f := range r.Faults {
		text, hint, _ := strings.Cut(want[i], " | ")
		if f.Kind != check.Service || !strings.Contains(f.Text, text) || !strings.Contains(strings.Join(f.Hints, "\n"), hint) {
			t.Errorf("got %s: %s %q\nwant %s", f.Kind, f.Text, f.Hints, want[i])
		}
	}
}

func TestHealthyService(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	r, out := tried(t, check.Run{
		Command: program(t, "serve", local(port)), Health: health(t, port), Ports: []int{port},
		Requests: []check.Request{
			{Name: "GET /health", Method: "GET", URL: url + "/health", Timeout: 5, Text: "ok"},
			{
				Name: "POST /echo", Method: "POST", URL: url + "/echo", Timeout: 5, Status: 200, Body: []byte(`{"a":1}`), Headers: [][2]string{{"X-Key", "1"}, {"host", "models.example"}},
				JSON: []byte(`{"method": "POST", "body": "{\"a\":1}", "key": "1", "host": "models.example", "scores": [{"score": 0.3}]}`),
			},
			{Name: "GET /moved", Method: "GET", URL: url + "/moved", Timeout: 5, Status: 302},
		},
	})
	wantFaults(t, r)
	if r.Healthy <= 0 || r.Healthy > 15 || r.Stopped <= 0 || r.Seconds < r.Healthy || r.Notes != nil || out != "stopped\n" {
		t.Errorf("got %+v, %q", r, out)
	}
}

// TestPortInPlaceOfHealth: without a health check a port is enough, and without one that the command runs.
func TestPortInPlaceOfHealth(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "serve", local(port)), Ports: []int{1, port}})
	wantFaults(t, r)
	r, _ = tried(t, check.Run{Command: []string{"sleep", "60"}, Start: 0.4})
	wantFaults(t, r)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "does nothing about SIGTERM") {
		t.Errorf("got the notes %q", r.Notes)
	}
}

func TestNeverHealthy(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	h := health(t, port)
	r, _ := tried(t, check.Run{Command: program(t, "sleep"), Health: h, Start: 0.5})
	wantFaults(t, r, fmt.Sprintf("the service was not healthy 0.5 s after its start; of its health check: it ended with exit code 1, and said: unhealthy: Get \"http://127.0.0.1:%d/health\"", port)+" | smoke: {start: 5m}")
	if !strings.Contains(r.Faults[0].Text, fmt.Sprintf("the service listens on no port, and the health check asks %d", port)) {
		t.Errorf("got %s", r.Faults[0].Text)
	}
}

// TestUnhealthyByDocker: as many failures as there are retries after the start period end the wait, however long the start may take.
func TestUnhealthyByDocker(t *testing.T) {
	t.Parallel()
	h := &check.Health{Test: []string{"/bin/sh", "-c", "echo not yet; exit 1"}, Interval: 0.2, Timeout: 5, StartPeriod: 0.3, StartInterval: 0.1, Retries: 2}
	r, _ := tried(t, check.Run{Command: program(t, "sleep"), Health: h})
	wantFaults(t, r, "its health check failed 2 times in a row by 0. | start_period: 60s")
	if !strings.Contains(r.Faults[0].Text, "(interval 0.2 s, start period 0.3 s): it ended with exit code 1, and said: not yet") || r.Seconds < 0.4 {
		t.Errorf("got %s after %g s", r.Faults[0].Text, r.Seconds)
	}
}

func TestHealthCheckThatHangs(t *testing.T) {
	t.Parallel()
	h := &check.Health{Test: program(t, "sleep"), Interval: 0.1, Timeout: 0.2, StartInterval: 0.1, Retries: 1}
	r, _ := tried(t, check.Run{Command: program(t, "sleep"), Health: h})
	wantFaults(t, r, "its health check failed 1 times in a row by")
	if !strings.Contains(r.Faults[0].Text, "it did not end within 0.2 s") {
		t.Errorf("got %s", r.Faults[0].Text)
	}
	r, _ = tried(t, check.Run{Command: program(t, "sleep"), Health: &check.Health{Test: []string{"curl", "-f", "x"}, Interval: 9, Timeout: 9, Retries: 9}}, "PATH=/nowhere")
	wantFaults(t, r, "its health check cannot be run: its command curl -f x cannot be started: no such file or directory | Python")
}

func TestEndsEarly(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "job", "0"), Health: health(t, port)})
	wantFaults(t, r, "the service ended by itself with exit code 0 after | smoke: {ends: true}")
	r, _ = tried(t, check.Run{Command: program(t, "job", "3"), Ports: []int{port}})
	wantFaults(t, r, "the service ended by itself with exit code 3 after")
	if f := r.Faults[0]; f.Output != "trained" || !strings.Contains(f.Text, fmt.Sprintf(", before anything listened on port %d", port)) {
		t.Errorf("got %+v", f)
	}
	r, _ = tried(t, check.Run{Command: []string{"/bin/sh", "-c", "kill -KILL $$"}, Ports: []int{port}})
	wantFaults(t, r, "the service ended by itself by the signal SIGKILL after | memory")
	r, _ = tried(t, check.Run{Command: []string{"/bin/sh", "-c", "nosuch"}})
	wantFaults(t, r, "the service ended by itself with exit code 127 | a shell")
}

func TestOtherPort(t *testing.T) {
	t.Parallel()
	port, other := freePort(t), freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "serve", local(port)), Health: health(t, other), Start: 0.5})
	wantFaults(t, r, fmt.Sprintf("; it listens on port %d, and the health check asks %d | app: {healthcheck: {port: %d}}", port, other, port))
	r, _ = tried(t, check.Run{Command: program(t, "serve", local(port)), Ports: []int{other}, Start: 0.5})
	wantFaults(t, r, fmt.Sprintf("nothing listens on port %d after 0.5 s, and it listens on port %d | app.ports", other, port))
	r, _ = tried(t, check.Run{Command: program(t, "serve", local(port)), Health: health(t, port), Ports: []int{other}})
	wantFaults(t, r)
	if len(r.Notes) != 1 || r.Notes[0] != fmt.Sprintf("the service listens on port %d, and the image names port %d", port, other) {
		t.Errorf("got the notes %q", r.Notes)
	}
}

func TestLoopbackAlone(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "serve", fmt.Sprintf("127.0.0.1:%d", port)), Health: health(t, port), Ports: []int{port}})
	wantFaults(t, r, fmt.Sprintf("the service listens on port %d of loopback alone | --host 0.0.0.0", port))
}

func TestStop(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "stubborn", local(port)), Ports: []int{port}, Grace: 0.2})
	wantFaults(t, r, "the service did not end within 0.2 s of SIGTERM | smoke: {stop: 30s}")
	run := check.Run{Command: program(t, "grumpy", local(port)), Ports: []int{port}}
	r, _ = tried(t, run)
	wantFaults(t, r, "the service ended with exit code 9 when it was stopped by SIGTERM | smoke: {exit: [9]}")
	run.Exit = []int{9}
	r, _ = tried(t, run)
	wantFaults(t, r)
	r, _ = tried(t, check.Run{Command: program(t, "serve", local(port)), Ports: []int{port}, Signal: "2"})
	wantFaults(t, r)
	if r.Notes != nil {
		t.Errorf("got the notes %q", r.Notes)
	}
}

// TestChildren: what a service leaves behind is named and killed, and orphans that end are reaped.
func TestChildren(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "fork", local(port)), Ports: []int{port}})
	wantFaults(t, r)
	if len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0], "2 processes were left when the command had ended, and killed: service.test") {
		t.Fatalf("got the notes %q", r.Notes)
	}
	for _, part := range strings.Split(r.Notes[0], "(")[1:] {
		pid, _, _ := strings.Cut(part, ")")
		if n, _ := strconv.Atoi(pid); n > 0 {
			if _, there := statOf(n); there {
				t.Errorf("the process %d is still there", n)
			}
		}
	}
}

// TestFlood: a log of 100 MB costs no memory and little time, and its end is shown.
func TestFlood(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r, out := tried(t, check.Run{Command: program(t, "flood", local(port)), Ports: []int{port}, Requests: []check.Request{{Name: "GET /die", Method: "GET", URL: fmt.Sprintf("http://127.0.0.1:%d/die", port), Timeout: 5}}})
	wantFaults(t, r, "the service ended by itself with exit code 3 after")
	if f := r.Faults[0]; !strings.Contains(f.Text, "while it was asked GET /die") || !strings.HasSuffix(f.Output, "\nthe last line\nout of memory") || strings.Count(f.Output, "\n") != 49 {
		t.Errorf("got %s: %.200q", f.Text, f.Output)
	}
	if len(out) > passedOn+100 || !strings.HasSuffix(out, "\nmlbuild: 99.9 MB of log left out\n") {
		t.Errorf("got %d bytes, %q at the end", len(out), out[max(0, len(out)-60):])
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("s3cr3t-value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	echo := check.Request{Name: "POST /echo", Method: "POST", URL: fmt.Sprintf("http://127.0.0.1:%d/echo", port), Timeout: 5, Body: []byte("s3cr3t-value"), JSON: []byte(`{"body": "x"}`)}
	r, out := tried(t, check.Run{Command: program(t, "serve", local(port)), Ports: []int{port}, Secrets: []string{file, file + "-none"}, Requests: []check.Request{echo}}, "PRINT=key s3cr3t-value.")
	wantFaults(t, r, `POST /echo: $.body: expected "x", got "***"`)
	if !strings.HasPrefix(out, "key ***.\n") || !strings.HasPrefix(r.Faults[0].Output, "key ***.\n") {
		t.Errorf("got %q and %q", out, r.Faults[0].Output)
	}
}

func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	get := func(path string) check.Request {
		return check.Request{Name: "GET " + path, Method: "GET", URL: fmt.Sprintf("http://127.0.0.1:%d%s", port, path), Timeout: 5}
	}
	status, moved, nothing, html, text, wrong, slow, never := get("/health"), get("/moved"), get("/none"), get("/html"), get("/html"), get("/echo"), get("/slow"), get("/never")
	status.Status, html.JSON, text.Text, wrong.JSON, slow.Timeout = 201, []byte("{}"), "positive", []byte(`{"scores": [{"label": "a"}]}`), 0.1
	r, _ := tried(t, check.Run{Command: program(t, "serve", local(port)), Ports: []int{port}, Requests: []check.Request{status, moved, nothing, html, text, wrong, slow, never}})
	wantFaults(t, r,
		"GET /health: expected status 201, got 200: ok", "GET /moved: expected status 200 to 299, got 302: <a href", "GET /none: expected status 200 to 299, got 404: 404 page not found",
		`GET /html: the answer is not JSON (Content-Type "text/html"): <html>`+strings.Repeat("x", 194)+"…", `GET /html: the answer has no "positive" in it: <html>`,
		`GET /echo: $.scores[0].label: expected "a", got "b"`, "GET /slow: no answer within 0.1 s | timeout: 60s")
	if r.Faults[6].Output != "stopped" || r.Faults[0].Output != "" {
		t.Errorf("the log is not with the last fault alone: %+v", r.Faults)
	}
}

func TestNothingListensForARequest(t *testing.T) {
	t.Parallel()
	port, other := freePort(t), freePort(t)
	r, _ := tried(t, check.Run{Command: program(t, "serve", local(port)), Ports: []int{port}, Requests: []check.Request{{Name: "GET /x", Method: "GET", URL: fmt.Sprintf("http://127.0.0.1:%d/x", other), Timeout: 5}}})
	wantFaults(t, r, fmt.Sprintf("GET /x: nothing listens there (http://127.0.0.1:%d/x); the service listens on port %d | port: %d", other, port, port))
}

func TestBatchJob(t *testing.T) {
	t.Parallel()
	r, out := tried(t, check.Run{Command: program(t, "job", "0"), Ends: true})
	if wantFaults(t, r); out != "trained\n" {
		t.Errorf("got %q", out)
	}
	r, _ = tried(t, check.Run{Command: program(t, "job", "4"), Ends: true})
	wantFaults(t, r, "the command ended with exit code 4 after")
	r, _ = tried(t, check.Run{Command: program(t, "sleep"), Ends: true, Start: 0.1})
	wantFaults(t, r, "the command did not end by itself within 0.1 s | smoke: {start: 5m}")
}

// TestMissingVariable: what Python says of it is shown.
func TestMissingVariable(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	r, _ := tried(t, check.Run{Command: []string{python, "-c", "import os; print(os.environ['MODEL_URL'])"}, Ports: []int{freePort(t)}})
	wantFaults(t, r, "the service ended by itself with exit code 1 after")
	if !strings.HasSuffix(r.Faults[0].Output, "KeyError: 'MODEL_URL'") {
		t.Errorf("got %q", r.Faults[0].Output)
	}
}

func TestCommandThatCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, data := range map[string]string{"plain.sh": "echo hi\n", "old.sh": "#!/opt/none/python3.9\n", "closed.sh": "#!/bin/sh\n"} {
		mode := os.FileMode(0o755)
		if name == "closed.sh" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"":                              "the image has no command | app.command",
		"uvicorn":                       "the command uvicorn is not in the image: no directory of its PATH has it, /bin | requirements",
		"./serve":                       "the command ./serve is not in the image | app.copy",
		filepath.Join(dir, "old.sh"):    "begins with #!/opt/none/python3.9, which is not in the image",
		filepath.Join(dir, "plain.sh"):  "is no program for this platform, and no script with a first line",
		filepath.Join(dir, "closed.sh"): "may not be run by the image's user | mode: \"0755\"",
	} {
		r, _ := tried(t, check.Run{Command: []string{name}, Ports: []int{1}}, "PATH=/bin")
		wantFaults(t, r, want)
	}
}

func TestUnwritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := tried(t, check.Run{Command: program(t, "silent"), Writable: []string{filepath.Dir(file), file, "/proc/none"}})
	uid := os.Getuid()
	wantFaults(t, r, fmt.Sprintf("the directory %s cannot be written by the image's user, uid %d: not a directory | app: {dirs: [%s]}", file, uid, file), "the directory /proc/none cannot be written")
	if left, _ := filepath.Glob(filepath.Dir(file) + "/.mlbuild*"); left != nil {
		t.Errorf("the check left %q", left)
	}
}

// TestGivenAway: a directory of the system that the user can write to is a fault, for any user but root.
func TestGivenAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, none := filepath.Join(dir, "open"), filepath.Join(dir, "none")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("open", link); err != nil {
		t.Fatal(err)
	}
	wantFaults(t, check.Report{Faults: givenAway([]string{none, open, link, "/proc"}, 1000)},
		"the directory "+open+" can be written by the image's user, uid 1000: whoever gets into the service could change what it runs | chown root:root "+open+" && chmod 755 "+open)
	if f := givenAway([]string{open}, 0); f != nil {
		t.Errorf("root can write everywhere, and it is a fault: %v", f)
	}
	if left, _ := os.ReadDir(open); len(left) != 0 {
		t.Errorf("the check left %v", left)
	}
}

// TestTimeout: the whole check ends, whatever takes so long.
func TestTimeout(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r, _ := tried(t, check.Run{Command: program(t, "sleep"), Ports: []int{freePort(t)}, Timeout: 0.2})
	wantFaults(t, r, "the check was not over after 0.2 s")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
