package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

const ask = `
import json, subprocess, sys, time, urllib.request
server = subprocess.Popen(sys.argv[1:])
for _ in range(300):
    try:
        assert urllib.request.urlopen("http://127.0.0.1:8000/health").read() == b"ok"
        break
    except OSError:
        assert server.poll() is None, "the server ended"
        time.sleep(0.2)
ask = urllib.request.Request("http://127.0.0.1:8000/predict", b'{"a": "hello", "b": "hello"}', {"Content-Type": "application/json"})
print(json.loads(urllib.request.urlopen(ask).read())["similarity"])
server.terminate()
`

// TestMonorepo builds both images of the example from the uv.lock of its workspace: nothing is resolved, and a wheel that both need is one layer.
func TestMonorepo(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := example(t, "monorepo")
	p.uvLock()
	api, worker := tb.Registry.Ref("monorepo:1.0-api"), tb.Registry.Ref("monorepo:1.0-worker")
	req := p.request(p.variant("api", api), p.variant("worker", worker))
	req.Epoch = time.Unix(1_700_000_000, 0)
	p.pin(b, &req) // --locked: uv.lock is lock enough
	plans, err := b.Plan(t.Context(), req, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, plan := range plans {
		if plan.From != "uv.lock" || !plan.Locked {
			t.Errorf("%s: the versions come from %q, locked %t", plan.Recipe.Profile, plan.From, plan.Locked)
		}
	}
	mustBuild(t, b, req)

	numpy := map[string]string{}
	for _, tag := range []string{"api", "worker"} {
		got := readBack(t, tb.Registry, "monorepo:1.0-"+tag)
		got.checkAll(req.Epoch)
		one := req
		one.Variants = []builder.Variant{p.variant(tag)}
		got.checkPlanned(tb, b, tb.Registry.Ref("monorepo:1.0-"+tag), one)
		for i, l := range got.layers {
			if strings.Contains(l.createdBy, "numpy") {
				numpy[tag] += got.manifest.Layers[i].Digest.String() + " "
			}
		}
	}
	if numpy["api"] == "" || numpy["api"] != numpy["worker"] {
		t.Errorf("numpy is in the layers %q", numpy)
	}
	if out := python(t, tb, api, ask, "gunicorn", "--bind", "127.0.0.1:8000", "api:app"); !strings.Contains(out, "1.0\n") {
		t.Errorf("the api says %q", out)
	}
	if out := inImage(t, tb, worker, "sh", "-c", "printf '%s\\n' hello olleh zzz | python worker.py"); out != "hello | olleh\nzzz\n" {
		t.Errorf("the worker says %q", out)
	}
}
