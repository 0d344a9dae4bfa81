package integration

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// sentiment is the service of docs/runtime.md: it answers on the path of its health check, and says which configuration it has.
const sentiment = `
import os, pathlib

def app(environ, start):
    start("200 OK" if environ["PATH_INFO"] == "/health" else "404 Not Found", [("Content-Type", "text/plain")])
    pathlib.Path("/var/log/app/requests.log").open("a").write(environ["PATH_INFO"] + "\\n")
    return [(pathlib.Path("config.yaml").read_text() + os.environ["LOG_FORMAT"] + os.environ["OMP_NUM_THREADS"]).encode()]
`

// asksSentiment starts the image as a container would, waits for its health check, and stops it.
const asksSentiment = `
import json, signal, subprocess, sys, time, urllib.request
config = json.loads(sys.argv[1])
server = subprocess.Popen(config["run"])
for _ in range(300):
    if subprocess.run(config["test"], stderr=subprocess.DEVNULL).returncode == 0:
        break
    assert server.poll() is None, "the server ended"
    time.sleep(0.2)
print(urllib.request.urlopen("http://127.0.0.1:8000/health").read().decode())
server.send_signal(getattr(signal, config["stop"]))
print(server.wait(20))
`

// TestDocumentedRuntime builds the worked example of docs/runtime.md for another environment, and runs it as its image says.
func TestDocumentedRuntime(t *testing.T) {
	tb := testbed.Shared(t)
	doc, err := os.ReadFile("../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	yaml, _, _ := strings.Cut(rest, "```")
	p := newProject(t, map[string]string{"mlbuild.yaml": yaml, "requirements.txt": "gunicorn==23.0.0\n", "src/main.py": sentiment, "src/__init__.py": "",
		"config.production.yaml": "is: production\n", "config.staging.yaml": "is: staging\n"})
	ref := tb.Registry.Ref("runtime:4")
	mustBuild(t, connect(t, tb.Daemon.Addr()), p.request(p.variantWith(map[string]string{"ENV": "staging", "MODEL_VERSION": "4"}, ref)))
	img := readBack(t, tb.Registry, "runtime:4")
	c := img.config.Config
	if got := slices.Sorted(maps.Keys(c.ExposedPorts)); !slices.Equal(got, []string{"8000/tcp", "9090/tcp"}) || c.Labels["org.example.model.url"] != "https://models.example/sentiment/4" ||
		len(c.Volumes) != 1 || c.StopSignal != "SIGTERM" {
		t.Errorf("ports %q, labels %v, volumes %v, stop signal %q", got, c.Labels, c.Volumes, c.StopSignal)
	}
	order, err := json.Marshal(map[string]any{"run": slices.Concat(c.Entrypoint, c.Cmd), "test": c.Healthcheck.Test[1:], "stop": c.StopSignal})
	if err != nil {
		t.Fatal(err)
	}
	if out := python(t, tb, ref, asksSentiment, string(order)); out != "is: staging\njson1\n0\n" {
		t.Errorf("the service says %q", out)
	}
}
