package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// service is a program that serves /health and /predict on a port, writes to a log, needs a variable, and ends by its signal. Each of these is a line that a test may break.
const service = `import http.server, json, os, signal, sys
import tiny
PORT = 8000
LOG = "/tmp/service.log"
NAME = os.environ["MODEL_NAME"]
open(LOG, "a").write("started\n")

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, {"status": "ok", "model": NAME})
    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        self.answer(200, {"label": text.upper(), "score": 0.5})
    def log_message(self, *args):
        pass

def stop(*args):
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
print("serving", NAME, flush=True)
http.server.HTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
`

const serviceFile = `version: 1
name: checked
python:
  version: "3.11"
  requirements: [requirements.txt]
  indexes: [{name: standin, url: "%s", default: true}]
pytorch_index: %s/whl
app:
  copy: [main.py]
  command: [python, main.py]
  env: {MODEL_NAME: small}
  ports: [8000]
  healthcheck: {http: /health, interval: 1s, timeout: 3s, start_period: 20s, start_interval: 500ms, retries: 2}
smoke:
  start: 30s
  stop: 3s
  requests:
    - get: /health
    - post: /predict
      json: {text: hello}
      expect: {label: HELLO}
`

// served is a project whose service works, and its index.
func served(t *testing.T) (*project, *testbed.Index) {
	t.Helper()
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.write("main.py", service)
	p.write("mlbuild.yaml", fmt.Sprintf(serviceFile, x.Simple(), x.URL))
	return p, x
}

func (p *project) replace(name, from, to string) {
	p.t.Helper()
	text := p.read(name)
	if !strings.Contains(text, from) {
		p.t.Fatalf("%s has no %q", name, from)
	}
	p.write(name, strings.Replace(text, from, to, 1))
}

// sabotages are what makes an image wrong, and what has to be said of it.
var sabotages = []struct {
	name string
	how  func(p *project, x *testbed.Index)
	says []string // in the fault and its hints
}{
	{"an import fails", func(p *project, x *testbed.Index) {
		addBroken(p, x, "broken", "import six_of_nobody\n")
	}, []string{"broken cannot be imported", "No module named 'six_of_nobody'", "it needs six_of_nobody and does not require it"}},
	{"an import kills itself", func(p *project, x *testbed.Index) {
		addBroken(p, x, "suicidal", "import os\nos._exit(3)\n")
	}, []string{"suicidal cannot be imported", "checks: {skip: [suicidal]}"}},
	{"an import never ends", func(p *project, x *testbed.Index) {
		addBroken(p, x, "hanging", "import time\ntime.sleep(600)\n")
		p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"checks: {timeout: 3s}\n")
	}, []string{"hanging", "checks: {timeout: 20m"}},
	{"a library is missing", func(p *project, x *testbed.Index) {
		addBroken(p, x, "linked", "import ctypes\nctypes.CDLL('libgomp.so.1')\n")
	}, []string{"linked cannot be imported, because the image has no libgomp.so.1", "system: {runtime: [libgomp1]}"}},
	{"a package is not required", func(p *project, _ *testbed.Index) { p.replace("main.py", "import tiny\n", "import tiny, requests\n") },
		[]string{"main.py imports requests, and no package of the image has it", "name the package that has requests in the requirements"}},
	{"a module is left out", func(p *project, _ *testbed.Index) {
		p.write("helpers.py", "x = 1\n")
		p.replace("main.py", "import tiny\n", "import tiny, helpers\n")
	}, []string{"the image starts with an import of helpers, and helpers.py of the project is not copied", "name it in app.copy"}},
	{"the program is not there", func(p *project, _ *testbed.Index) {
		p.replace("mlbuild.yaml", "command: [python, main.py]", `command: [uvicorn, "main:app"]`)
	}, []string{"its command is uvicorn, and there is no such program", "in the requirements"}},
	{"a package is removed", func(p *project, _ *testbed.Index) {
		p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"run: [{name: slim, after: packages, commands: [\"rm -r /opt/venv/lib/python3.11/site-packages/tiny-1.0.dist-info\"]}]\n")
	}, []string{"tiny is not installed"}},
	{"torch is another build", func(p *project, x *testbed.Index) {
		files := map[string]string{"torch/__init__.py": "class version:\n    cuda = '12.6'\n    hip = None\nclass cuda:\n    is_available = staticmethod(lambda: False)\n    device_count = staticmethod(lambda: 0)\n__version__ = '2.6.0'\n"}
		x.AddWheel("whl/cpu", "torch", "2.6.0+cpu", "cp311-cp311-manylinux_2_28_x86_64", files)
		p.write("requirements.txt", "tiny\ntorch==2.6.0\n")
	}, []string{"torch is a build for", "the profile promises"}},
	{"the service listens elsewhere", func(p *project, _ *testbed.Index) {
		p.replace("main.py", "PORT = 8000", "PORT = 9000")
		p.replace("mlbuild.yaml", "start: 30s", "start: 4s")
	}, []string{"9000", "8000"}},
	{"the log cannot be written", func(p *project, _ *testbed.Index) { p.replace("main.py", "/tmp/service.log", "/var/log/service.log") },
		[]string{"PermissionError", "/var/log/service.log"}},
	{"the system is the user's", func(p *project, _ *testbed.Index) {
		p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"run: [{name: handy, after: packages, commands: [\"chown 1000:1000 /etc /opt/venv/bin\"]}]\n")
	}, []string{"/etc can be written by the image's user, uid 1000", "/opt/venv/bin can be written", "chown root:root /etc"}},
	{"a variable is missing", func(p *project, _ *testbed.Index) { p.replace("mlbuild.yaml", "{MODEL_NAME: small}", "{OTHER: small}") }, []string{"KeyError: 'MODEL_NAME'"}},
	{"it ends at once", func(p *project, _ *testbed.Index) {
		p.replace("main.py", "print(\"serving\"", "sys.exit(0)\nprint(\"serving\"")
	}, []string{"0"}},
	{"it is never healthy", func(p *project, _ *testbed.Index) {
		p.replace("main.py", "self.answer(200, {\"status\"", "self.answer(503, {\"status\"")
		p.replace("mlbuild.yaml", "start: 30s", "start: 3s")
	}, []string{"health"}},
	{"it answers something else", func(p *project, _ *testbed.Index) { p.replace("main.py", "text.upper()", "text") }, []string{"POST /predict", `"HELLO"`, `"hello"`}},
	{"it does not stop", func(p *project, _ *testbed.Index) {
		p.replace("main.py", "signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
		p.replace("mlbuild.yaml", "stop: 3s", "stop: 1s")
	}, []string{"SIGTERM"}},
}

// addBroken adds a package to the index and to the requirements.
func addBroken(p *project, x *testbed.Index, name, source string) {
	x.AddWheel("simple", name, "1.0", "py3-none-any", map[string]string{name + "/__init__.py": source})
	p.write("requirements.txt", "tiny\n"+name+"\n")
}

// TestWrongImagesAreNotPublished: whatever makes an image wrong, the build fails with the reason and its cure, nothing is sent to the registry, and the tag names the image of before.
func TestWrongImagesAreNotPublished(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	for i, s := range sabotages {
		t.Run(s.name, func(t *testing.T) {
			p, x := served(t)
			repo := fmt.Sprintf("wrong-%d", i)
			req := p.request(p.variant("cpu", tb.Registry.Ref(repo+":1")))
			req.Checks = builder.CheckAll
			right := mustBuild(t, b, req).Images[0].Digest
			sent := uploads(tb.Registry, repo)

			s.how(p, x)
			req = p.request(p.variant("cpu", tb.Registry.Ref(repo+":1")))
			req.Checks = builder.CheckAll
			began := time.Now()
			_, err := b.Build(t.Context(), req)
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %s", took)
			}
			if err == nil {
				t.Fatal("it is published")
			}
			text := ""
			for _, f := range fault.All(err) {
				text += fmt.Sprintf("%s\n%s\n", f.Message, strings.Join(f.Hints, "\n"))
				if f.Code != check.Code && f.Code != fault.Context {
					t.Errorf("the code of %v", f)
				}
			}
			for _, want := range s.says {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q:\n%s", want, text)
				}
			}
			if after := uploads(tb.Registry, repo); after != sent {
				t.Errorf("%d requests that change the repository, before %d", after, sent)
			}
			if now, err := readBack(t, tb.Registry, repo+":1").img.Digest(); err != nil || now.String() != right {
				t.Errorf("the tag names %s, before %s (%v)", now, right, err)
			}
		})
	}
}

// uploads counts the requests that changed a repository.
func uploads(r *testbed.Registry, repo string) (n int) {
	for _, a := range r.Log() {
		if strings.HasPrefix(a.Path, "/v2/"+repo+"/") && slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, a.Method) {
			n++
		}
	}
	return n
}

// checkTimes notes when the steps of checks ended.
type checkTimes struct {
	mu   sync.Mutex
	last time.Time
	ran  int
}

func (c *checkTimes) watch(req *builder.Request) {
	req.Status = func(string) chan<- *bkclient.SolveStatus {
		ch := make(chan *bkclient.SolveStatus)
		go func() {
			for st := range ch {
				c.mu.Lock()
				for _, v := range st.Vertexes {
					if v.Completed != nil && !v.Cached && (strings.HasPrefix(v.Name, "[checks] run") || strings.HasPrefix(v.Name, "[checks] try")) {
						if v.Completed.After(c.last) {
							c.last = *v.Completed
						}
						c.ran++
					}
				}
				c.mu.Unlock()
			}
		}()
		return ch
	}
}

// TestNothingIsSentBeforeTheChecks: no blob and no tag is put before the last check has ended, in a build of everything and in those that reuse layers; and only what changed is checked again.
func TestNothingIsSentBeforeTheChecks(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p, x := served(t)
	first := fmt.Sprintf("# %s\n", t.TempDir()) // no other test has made this
	addBroken(p, x, "first", first)
	for _, c := range []struct {
		name   string
		change func()
		ran    int // checks that run
	}{
		{"a build of everything", func() {}, 2},
		{"an edit", func() { p.write("main.py", service+"# edited\n") }, 1},
		{"another package", func() { addBroken(p, x, "second", "y = 1\n") }, 2},
		{"nothing", func() {}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change()
			tb.Registry.Reset()
			req, times := p.request(p.variant("cpu", tb.Registry.Ref("gated:1"))), &checkTimes{}
			req.Checks = builder.CheckAll
			times.watch(&req)
			mustBuild(t, b, req)
			for _, a := range tb.Registry.Log() {
				if strings.HasPrefix(a.Path, "/v2/gated/") && a.Method != "GET" && a.Method != "HEAD" && a.At.Before(times.last) {
					t.Errorf("%s %s came %s before the last check ended", a.Method, a.Path, times.last.Sub(a.At))
				}
			}
			if times.ran != c.ran {
				t.Errorf("%d checks ran, want %d", times.ran, c.ran)
			}
		})
	}
}

// TestChecksAreChosen: without them the same project is published as it is.
func TestChecksAreChosen(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p, x := served(t)
	addBroken(p, x, "broken", "import six_of_nobody\n")
	p.replace("main.py", "PORT = 8000", "PORT = 9000")
	for _, c := range []struct {
		which builder.Checks
		skip  string
		fails bool
	}{{builder.CheckAll, "", true}, {builder.CheckPackages, "", true}, {builder.CheckPackages, "checks: {skip: [broken]}\n", false}, {builder.CheckAll, "checks: {skip: [broken]}\n", true}, {builder.CheckNothing, "", false}} {
		p.write("mlbuild.yaml", fmt.Sprintf(serviceFile, x.Simple(), x.URL)+c.skip)
		req := p.request(p.variant("cpu", tb.Registry.Ref("chosen:1")))
		req.Checks = c.which
		if _, err := b.Build(t.Context(), req); (err != nil) != c.fails {
			t.Errorf("--checks=%s %s: %v", c.which, c.skip, err)
		}
	}
}

// TestChecksOnGPU: where the daemon offers a GPU to every build, the checks of an image for CUDA run with it; the image is the same as without. The device is a stand-in that sets a variable.
func TestChecksOnGPU(t *testing.T) {
	tb := testbed.Shared(t)
	specs := t.TempDir()
	if err := os.WriteFile(filepath.Join(specs, "nvidia.json"), []byte(`{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all", "containerEdits": {"env": ["STAND_IN_GPU=1"]}}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	with := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: tb.Registry, Config: fmt.Sprintf("[cdi]\nspecDirs = [%q]\nautoAllowed = [\"nvidia.com/gpu\"]\n", specs)})
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("whl/cu126", "torch", "2.6.0+cu126", "cp311-cp311-manylinux_2_28_x86_64", map[string]string{"torch/__init__.py": `import os
__version__ = "2.6.0+cu126"
GPU = os.environ.get("STAND_IN_GPU") == "1"
class version:
    cuda, hip = "12.6", None
class cuda:
    is_available = staticmethod(lambda: GPU)
    device_count = staticmethod(lambda: 1 if GPU else 0)
class ones:
    def __init__(self, shape, device): self.side = shape[0]
    def __matmul__(self, other): return self
    def __getitem__(self, at): return float(self.side)
`})
	p, _ := served(t)
	p.write("mlbuild.yaml", strings.Split(fmt.Sprintf(serviceFile, x.Simple(), x.URL), "smoke:")[0]+"profiles: {gpu: {accelerator: {kind: cuda, cuda: \"12.6\"}}}\n")
	x.AddWheel("simple", "tiny", "1.0", "py3-none-any", map[string]string{"tiny/__init__.py": ""})
	p.write("requirements.txt", "tiny\ntorch==2.6.0\n")
	var digests []string
	for _, c := range []struct {
		daemon *testbed.Daemon
		gpus   int
	}{{with, 1}, {tb.Daemon, 0}} {
		req := p.request(p.variant("gpu", tb.Registry.Ref(fmt.Sprintf("on-gpu-%d:1", c.gpus))))
		req.Checks, req.State = builder.CheckAll, t.TempDir()
		image := mustBuild(t, connect(t, c.daemon.Addr()), req).Images[0]
		digests = append(digests, image.Digest)
		i := slices.IndexFunc(image.Checks, func(c evidence.Check) bool { return c.Name == evidence.Packages })
		if i < 0 || image.Checks[i].GPUs != c.gpus || (image.Checks[i].GPU == "") != (c.gpus > 0) {
			t.Errorf("with %d GPUs: %+v", c.gpus, image.Checks)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("with a GPU the image is %s, without %s", digests[0], digests[1])
	}
}

func (p *project) remove(name string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}
