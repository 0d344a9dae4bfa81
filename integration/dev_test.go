package integration

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// works is what one does in a dev image: change the environment, use a compiler and tools, keep what was there.
const works = `
import os, pathlib, subprocess, sysconfig, tiny, jupyterlab
site = pathlib.Path(sysconfig.get_path("purelib"))
(site / "added.py").write_text("x = 1")
import added
pathlib.Path("main.py").write_text("print('changed')")
assert os.environ["SHELL"] == "/bin/bash" and os.environ["LOG"] == "debug"
subprocess.run(["make", "--version"], check=True, stdout=subprocess.DEVNULL)
try:
    (site / "tiny" / "__init__.py").write_text("")
except PermissionError:
    print("ok")
`

// TestDevStage: an image to work in, of the runtime's own layers and more.
func TestDevStage(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "jupyterlab", "4.0", "py3-none-any", map[string]string{
		"jupyterlab.py":           "import sys\ndef main():\n    print('jupyter', *sys.argv[1:])\n",
		"{info}/entry_points.txt": "[console_scripts]\njupyter = jupyterlab:main\n",
	})
	p := tiny(t, x, `
system: {build: [make]}
dev: {packages: [jupyterlab], system: [make], env: {LOG: debug}, ports: [6006]}
`)
	p.lock(n.b, "cpu", builder.LockOptions{})
	mustBuild(t, n.b, p.request(p.variant("cpu", n.reg.Ref("dev:1.0-cpu"))))
	runtime := readBack(t, n.reg, "dev:1.0-cpu")

	n.reg.Reset()
	ref := n.reg.Ref("dev:1.0-cpu-dev")
	req := p.request(p.variant("cpu", ref))
	req.Target = "dev"
	p.pin(n.b, &req)
	mustBuild(t, n.b, req)
	got := readBack(t, n.reg, "dev:1.0-cpu-dev")

	shared := 0
	digests := got.layerDigests()
	for i, d := range runtime.layerDigests() {
		if !slices.Contains(digests, d) {
			t.Errorf("the dev image has its own %q", runtime.layers[i].createdBy)
		} else if strings.HasPrefix(runtime.layers[i].createdBy, "mlbuild wheels:") {
			shared++
		}
	}
	if shared == 0 {
		t.Error("the runtime has no wheel layer")
	}
	for _, u := range n.reg.Uploads() {
		if u.Repository == "dev" && slices.Contains(runtime.layerDigests(), u.Digest) {
			t.Errorf("%s of the runtime was sent again", u.Digest)
		}
	}
	c := got.config.Config
	if !slices.Equal(c.Cmd, []string{"jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"}) || c.User != "1000:1000" ||
		!slices.Equal(slices.Sorted(maps.Keys(c.ExposedPorts)), []string{"6006/tcp", "8888/tcp"}) {
		data, _ := json.Marshal(c)
		t.Errorf("config %s", data)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := n.d.RunImage(t.Context(), ref, args...)
		if err != nil || out.Exit != 0 {
			t.Fatalf("%q: %v %+v", args, err, out)
		}
		return out.Stdout
	}
	if out := run(); out != "jupyter lab --ip=0.0.0.0 --port=8888 --no-browser\n" {
		t.Errorf("it runs %q", out)
	}
	if out := run("python", "-c", works); out != "ok\n" {
		t.Errorf("got %q, want the lock's packages to be read-only", out)
	}
	if out := run("python", "/app/main.py"); out != "hello from tiny\n" {
		t.Errorf("the app: %q", out)
	}
}
