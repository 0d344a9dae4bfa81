package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// documented wants the first YAML of a page to be the example's project file.
func documented(t *testing.T, page, example string) {
	t.Helper()
	doc, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	shown, _, _ := strings.Cut(rest, "```")
	file, err := os.ReadFile("../examples/" + example + "/mlbuild.yaml")
	if err != nil || shown != string(file) {
		t.Errorf("docs/%s shows another project file than examples/%s has (%v):\n%s", page, example, err, shown)
	}
}

// TestTestedFeatures runs the example's tests with the real pytest, and looks into both images.
func TestTestedFeatures(t *testing.T) {
	documented(t, "testing.md", "tested-features")
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "tested-features", "cpu")
	if out := inImage(t, tb, ref, "sh", "-c", "printf '1 10\n3 30\n' | python -m features"); out != "-1.0000 -1.0000\n1.0000 1.0000\n" {
		t.Errorf("the program says %q", out)
	}
	for name := range got.tree {
		if strings.HasPrefix(name, "opt/venv/bin/pytest") || strings.Contains(name, "site-packages/pytest") || strings.HasPrefix(name, "app/tests") {
			t.Errorf("%s is in the runtime image", name)
		}
	}

	b := connect(t, tb.Daemon.Addr())
	p := example(t, "tested-features")
	p.lock(b, "cpu", builder.LockOptions{})
	tag := tb.Registry.Ref("tested-features:1.0-cpu-testing")
	var req builder.Request
	dir, res, _, err := p.test(b, func(r *builder.Request) {
		r.Variants = []builder.Variant{p.variant("cpu", tag)}
		p.pin(b, r)
		r.Outputs = append(r.Outputs, builder.Output{Type: "image", Push: true})
		req = *r
	})
	if err != nil || res.Images[0].Tests != "passed" {
		t.Fatalf("%v, %+v", err, res)
	}
	if junit := report(t, dir, "junit.xml"); !strings.Contains(junit, `tests="4"`) || !strings.Contains(junit, `failures="0"`) {
		t.Errorf("junit.xml: %s", junit)
	}
	if coverage := report(t, dir, "coverage.xml"); !strings.Contains(coverage, `filename="src/features/__init__.py" complexity="0" line-rate="1"`) {
		t.Errorf("coverage.xml: %s", coverage)
	}
	tested := readBack(t, tb.Registry, "tested-features:1.0-cpu-testing")
	tested.checkClean()
	tested.checkPlanned(tb, b, tag, req)
	if n := len(got.layers); !slices.Equal(tested.layerDigests()[:n], got.layerDigests()) || len(tested.layers) <= n {
		t.Errorf("the tested image has %d layers, the runtime's %d are not the first of them", len(tested.layers), n)
	}
	if out := inImage(t, tb, tag, append(tested.config.Config.Cmd, "-q")...); !strings.Contains(out, "4 passed") {
		t.Errorf("the image's command: %s", out)
	}
	t.Run("an edited test", func(t *testing.T) { editTest(t, tb, p, got, tested) })
}

// editTest changes a test of the project and pushes both images again: the registry is sent the tests' own layer and nothing of the runtime.
func editTest(t *testing.T, tb *testbed.Testbed, p *project, runtime, tested *pushed) {
	b := connect(t, tb.Daemon.Addr())
	const file = "tests/test_scaler.py"
	p.write(file, p.read(file)+"\n\ndef test_edited():\n    assert True\n")
	sent := func(target, repoTag string) []string {
		tb.Registry.Reset()
		req := p.request(p.variant("cpu", tb.Registry.Ref(repoTag)))
		req.Target, req.Epoch = target, time.Unix(1_700_000_000, 0)
		mustBuild(t, b, req)
		var digests []string
		for _, u := range tb.Registry.Uploads() {
			if u.Repository == "tested-features" {
				digests = append(digests, u.Digest)
			}
		}
		return digests
	}
	if digests := sent("", "tested-features:1.0-cpu"); len(digests) != 0 {
		t.Errorf("for the runtime image %q were sent", digests)
	}
	if again := readBack(t, tb.Registry, "tested-features:1.0-cpu").layerDigests(); !slices.Equal(again, runtime.layerDigests()) {
		t.Errorf("the runtime image has the layers %q, had %q", again, runtime.layerDigests())
	}
	digests := sent("testing", "tested-features:1.0-cpu-testing")
	after := readBack(t, tb.Registry, "tested-features:1.0-cpu-testing")
	var fresh []string
	for i, d := range after.layerDigests() {
		if slices.Contains(tested.layerDigests(), d) {
			continue
		}
		fresh = append(fresh, after.layers[i].createdBy)
		if !slices.Contains(digests, d) {
			t.Errorf("%q is new and was not sent", after.layers[i].createdBy)
		}
	}
	if len(fresh) != 1 || !strings.Contains(fresh[0], "test") {
		t.Errorf("new layers of the tested image: %q", fresh)
	}
}

// jupyterAnswers starts the image's command and asks the server for its version.
const jupyterAnswers = `
import json, os, subprocess, sys, time, urllib.error, urllib.request
server = subprocess.Popen(json.loads(sys.argv[1]) + ["--IdentityProvider.token=test"], stderr=subprocess.DEVNULL)
for _ in range(300):
    assert server.poll() is None, "the server ended"
    try:
        print(json.load(urllib.request.urlopen("http://127.0.0.1:8888/api?token=test")))
        print([f["name"] for f in json.load(urllib.request.urlopen("http://127.0.0.1:8888/api/contents?token=test"))["content"]])
        break
    except urllib.error.URLError:
        time.sleep(0.2)
server.terminate()
`

// TestJupyterDev: the dev image of the example serves its notebook, and shares the runtime's packages.
func TestJupyterDev(t *testing.T) {
	documented(t, "dev.md", "jupyter-dev")
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "jupyter-dev", "cpu")
	if out := inImage(t, tb, ref); out != "[1.    0.007]\n" {
		t.Errorf("the program says %q", out)
	}
	b := connect(t, tb.Daemon.Addr())
	p := example(t, "jupyter-dev")
	p.lock(b, "cpu", builder.LockOptions{})
	tag := tb.Registry.Ref("jupyter-dev:1.0-cpu-dev")
	req := p.request(p.variant("cpu", tag))
	req.Target = "dev"
	p.pin(b, &req)
	mustBuild(t, b, req)
	dev := readBack(t, tb.Registry, "jupyter-dev:1.0-cpu-dev")
	dev.checkClean()
	dev.checkPlanned(tb, b, tag, req)
	for i, d := range got.layerDigests() {
		if created := got.layers[i].createdBy; !slices.Contains(dev.layerDigests(), d) && !strings.HasPrefix(created, "mlbuild check: ") { // of the dev stage nothing is published as a service
			t.Errorf("the dev image has its own %q", created)
		}
	}
	command, err := json.Marshal(dev.config.Config.Cmd)
	if err != nil {
		t.Fatal(err)
	}
	out := python(t, tb, tag, jupyterAnswers, string(command))
	if !strings.Contains(out, "'version': '") || !strings.Contains(out, "explore.ipynb") {
		t.Errorf("jupyter says %s", out)
	}
	if out := inImage(t, tb, tag, "git", "--version"); !strings.HasPrefix(out, "git version") {
		t.Errorf("git: %s", out)
	}
}
