package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// buildExample locks, builds and pushes a profile of an example, reads the image back and checks what holds for all.
func buildExample(t *testing.T, tb *testbed.Testbed, name, profile string) (*pushed, string) {
	t.Helper()
	return buildProject(t, tb, example(t, name), name, profile)
}

// buildProject is buildExample for a project that the test has changed.
func buildProject(t *testing.T, tb *testbed.Testbed, p *project, name, profile string) (*pushed, string) {
	t.Helper()
	b := connect(t, tb.Daemon.Addr())
	p.lock(b, profile, builder.LockOptions{})
	repoTag := name + ":1.0-" + profile
	ref := tb.Registry.Ref(repoTag)
	v := p.variant(profile, ref)
	if v.Lock == nil {
		t.Fatal("there is no lock")
	}
	req := p.request(v)
	req.Epoch = time.Unix(1_700_000_000, 0)
	p.pin(b, &req)
	image := mustBuild(t, b, req).Images[0]
	t.Logf("%s: %.0f s, %d bytes, %+v", repoTag, image.Seconds, image.Size, *image.Layers)
	got := readBack(t, tb.Registry, repoTag)
	if d, err := got.img.Digest(); err != nil || d.String() != image.Digest || !image.Locked {
		t.Errorf("the registry has %s (%v), the result says %+v", d, err, image)
	}
	got.checkAll(req.Epoch)
	got.checkPackages(tb, ref, v.Recipes[0].Requires.Lock, v.Lock)
	checkUser(t, tb, ref)
	return got, ref
}

// serve runs the image's command, asks its health check and one prediction.
const serve = `
import json, subprocess, sys, time, urllib.request
config = json.loads(sys.argv[1])
server = subprocess.Popen(config["cmd"])
for _ in range(300):
    if subprocess.run(config["test"], stderr=subprocess.DEVNULL).returncode == 0:
        break
    assert server.poll() is None, "the server ended"
    time.sleep(0.2)
flower = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
ask = urllib.request.Request("http://127.0.0.1:8000/predict", json.dumps(flower).encode(), {"Content-Type": "application/json"})
print(urllib.request.urlopen(ask).read().decode())
server.terminate()
`

func TestSklearnAPI(t *testing.T) {
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "sklearn-api", "cpu")
	c := got.config.Config
	if d := cmp.Diff([]string{"uvicorn", "src.main:app", "--host", "0.0.0.0", "--port", "8000"}, c.Cmd); d != "" || len(c.Entrypoint) > 0 {
		t.Errorf("entrypoint %q, command (-want +got):\n%s", c.Entrypoint, d)
	}
	if d := cmp.Diff(map[string]struct{}{"8000/tcp": {}}, c.ExposedPorts); d != "" {
		t.Errorf("ports (-want +got):\n%s", d)
	}
	labels := map[string]string{"org.opencontainers.image.title": "sklearn-api", "org.opencontainers.image.description": "Iris classifier behind FastAPI"}
	if d := cmp.Diff(labels, c.Labels); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
	if envOf(c.Env)["LOG_LEVEL"] != "info" {
		t.Errorf("environment %q", c.Env)
	}
	h := c.Healthcheck
	if h == nil || h.Test[0] != "CMD" || h.Interval != 10*time.Second || h.Timeout != 3*time.Second || h.Retries != 3 {
		t.Fatalf("health check %+v", h)
	}
	checkScripts(t, tb, ref, got, "uvicorn", "fastapi", "f2py")
	order, err := json.Marshal(map[string][]string{"cmd": c.Cmd, "test": h.Test[1:]})
	if err != nil {
		t.Fatal(err)
	}
	if out := python(t, tb, ref, serve, string(order)); !strings.Contains(out, `{"species":"setosa"}`) {
		t.Errorf("the service says %s", out)
	}
	checkOwnLayers(t, got, "scikit-learn", "scipy", "pandas", "numpy")
}

// checkScripts wants console scripts that run the environment's Python; the first one is run.
func checkScripts(t *testing.T, tb *testbed.Testbed, ref string, got *pushed, names ...string) {
	t.Helper()
	for _, name := range names {
		script := "opt/venv/bin/" + name
		if e := got.tree[script]; e.Mode&0o777 != 0o755 || e.Uid != 0 {
			t.Errorf("%s: mode %#o, owner %d", script, e.Mode, e.Uid)
		}
		if line, _, _ := strings.Cut(got.file(script), "\n"); line != "#!/opt/venv/bin/python" {
			t.Errorf("%s starts with %q", script, line)
		}
	}
	if out := inImage(t, tb, ref, names[0], "--version"); !strings.Contains(strings.ToLower(out), names[0]) {
		t.Errorf("%s --version: %q", names[0], out)
	}
}

// checkOwnLayers wants a layer for each of these large packages, and no package in two layers unless it was split.
func checkOwnLayers(t *testing.T, got *pushed, packages ...string) {
	t.Helper()
	for _, name := range packages {
		if !slices.ContainsFunc(got.layers, func(l pushedLayer) bool { return strings.HasPrefix(l.createdBy, "mlbuild wheels: "+name+" ") }) {
			t.Errorf("%s has no layer of its own", name)
		}
	}
	first := map[string]string{}
	for _, l := range got.layers {
		for _, e := range l.entries {
			if !l.own || e.Typeflag == '5' {
				continue
			}
			if by, ok := first[e.Name]; ok {
				t.Errorf("%s is in %q and in %q", e.Name, by, l.createdBy)
			}
			first[e.Name] = l.createdBy
		}
	}
}

func TestTensorflow(t *testing.T) {
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "tensorflow", "cpu")
	out := inImage(t, tb, ref)
	if !strings.Contains(out, "devices ['CPU']") || !strings.Contains(out, "y = 2.00 x + 1.00") {
		t.Errorf("train.py says %s", out)
	}
	if d := cmp.Diff([]string{"python", "train.py"}, got.config.Config.Cmd); d != "" {
		t.Errorf("command (-want +got):\n%s", d)
	}
	checkNoNVIDIA(t, got)
	checkOwnLayers(t, got, "numpy")
	parts := slices.DeleteFunc(layerHistory(got.config), func(h v1.History) bool { return !strings.HasPrefix(h.CreatedBy, "mlbuild wheels: tensorflow-cpu ") })
	for i, h := range parts {
		if len(parts) > 1 && !strings.HasSuffix(h.CreatedBy, fmt.Sprintf("(part %d of %d)", i+1, len(parts))) {
			t.Errorf("part %d of tensorflow-cpu is %q", i+1, h.CreatedBy)
		}
	}
	if len(parts) == 0 {
		t.Error("tensorflow-cpu has no layer")
	}
}

// checkNoNVIDIA wants nothing of CUDA in a CPU image.
func checkNoNVIDIA(t *testing.T, got *pushed) {
	t.Helper()
	for name := range got.tree {
		if strings.Contains(name, "/site-packages/nvidia") {
			t.Errorf("a CPU image has %s", name)
			return
		}
	}
	for k := range envOf(got.config.Config.Env) {
		if strings.HasPrefix(k, "NVIDIA_") {
			t.Errorf("a CPU image sets %s", k)
		}
	}
}

func TestONNX(t *testing.T) {
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "onnx", "cpu")
	out := inImage(t, tb, ref)
	if !strings.Contains(out, "CPUExecutionProvider") || !strings.Contains(out, "[[7.0, 10.0], [15.0, 22.0]]") {
		t.Errorf("serve.py says %s", out)
	}
	checkNoNVIDIA(t, got)
}

// TestNamesByAccelerator locks both profiles: one requirement, the right package in each, and CUDA's libraries in the gpu lock alone.
func TestNamesByAccelerator(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	tests := []struct {
		example, cpu, gpu string
	}{
		{"onnx", "onnxruntime", "onnxruntime-gpu"},
		{"tensorflow", "tensorflow-cpu", "tensorflow"},
	}
	for _, tt := range tests {
		t.Run(tt.example, func(t *testing.T) {
			p := example(t, tt.example)
			req := p.request(p.variant("cpu"), p.variant("gpu"))
			locks, err := b.Lock(t.Context(), req, builder.LockOptions{})
			if err != nil {
				t.Fatal(err)
			}
			cpu, gpu := lockedNames(t, locks[0]), lockedNames(t, locks[1])
			if !slices.Contains(cpu, tt.cpu) || slices.Contains(cpu, tt.gpu) || !slices.Contains(gpu, tt.gpu) || slices.Contains(gpu, tt.cpu) {
				t.Errorf("cpu has %q\ngpu has %q", cpu, gpu)
			}
			if hasNVIDIA(cpu) || !hasNVIDIA(gpu) {
				t.Errorf("nvidia: cpu %q\ngpu %q", cpu, gpu)
			}
		})
	}
}

// lockedNames lists the packages of a lock.
func lockedNames(t *testing.T, l builder.Locked) []string {
	t.Helper()
	var names []string
	for _, w := range lockedWheels(t, l.Path, l.Data) {
		names = append(names, w.Name)
	}
	return names
}

func hasNVIDIA(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "nvidia-") })
}

// TestMultiFramework: TensorFlow, ONNX Runtime and scikit-learn in one CPU image agree with each other, and each is a layer of its own.
func TestMultiFramework(t *testing.T) {
	if os.Getenv("MLBUILD_TEST_LARGE") != "1" {
		t.Skip("450 MB, most of it TensorFlow's, which TestTensorflow builds: MLBUILD_TEST_LARGE=1 runs it")
	}
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "multi-framework", "cpu")
	if out := inImage(t, tb, ref); out != "tensorflow agrees\nonnxruntime agrees\naccuracy 0.97\n" {
		t.Errorf("compare.py says %s", out)
	}
	checkNoNVIDIA(t, got)
	checkOwnLayers(t, got, "tensorflow-cpu", "onnxruntime", "scikit-learn", "numpy")
}
