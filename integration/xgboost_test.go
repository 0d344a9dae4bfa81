package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// serveXGBoost runs the image as a container would, asks its health check and its two ports, and stops it with SIGTERM.
const serveXGBoost = `
import json, os, pathlib, signal, subprocess, sys, time, urllib.request
config = json.loads(sys.argv[1])
server = subprocess.Popen(config["entrypoint"] + config["cmd"])
os.environ["http_proxy"] = "http://127.0.0.1:1"  # the check must not go through it
for _ in range(300):
    if subprocess.run(config["test"], stderr=subprocess.DEVNULL).returncode == 0:
        break
    assert server.poll() is None, "the server ended"
    time.sleep(0.2)
del os.environ["http_proxy"]
def post(customer):
    ask = urllib.request.Request("http://127.0.0.1:8000/predict", json.dumps(customer).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(ask))["leaves"]
print(post({"months": 3, "monthly_charge": 95, "support_calls": 1}), post({"months": 40, "monthly_charge": 20, "support_calls": 0}))
print([l for l in urllib.request.urlopen("http://127.0.0.1:9090/metrics").read().decode().splitlines() if l.startswith("predictions_total")])
print(json.loads(pathlib.Path("/var/log/app/service.log").read_text().splitlines()[-1])["logger"])
print(subprocess.run([*config["test"][:-1], config["test"][-1].replace("/health", "/nothing")]).returncode)
began = time.monotonic()
server.send_signal(signal.SIGTERM)
print(server.wait(15), time.monotonic() - began < 10)
`

// TestXGBoostAPI builds the service of examples/xgboost-api: init, health check, ports, logs, configuration of the environment, pruning.
func TestXGBoostAPI(t *testing.T) {
	tb := testbed.Shared(t)
	got, ref := buildExample(t, tb, "xgboost-api", "cpu")
	c := got.config.Config
	if !slices.Equal(c.Entrypoint, []string{"/usr/bin/tini", "--"}) || !slices.Equal(c.Cmd, []string{"gunicorn", "src.main:app"}) {
		t.Errorf("entrypoint %q, command %q", c.Entrypoint, c.Cmd)
	}
	if h := c.Healthcheck; h == nil || h.StartPeriod != 30*time.Second || h.Retries != 3 || h.Test[1] != "python" {
		t.Errorf("health check %+v", h)
	}
	if len(c.ExposedPorts) != 2 || c.Labels["org.example.model.version"] != "1" {
		t.Errorf("ports %v, labels %v", c.ExposedPorts, c.Labels)
	}
	if env := envOf(c.Env); env["OMP_NUM_THREADS"] != "1" || env["APP_ENV"] != "production" {
		t.Errorf("environment %q", c.Env)
	}
	if text := got.file("app/config.yaml"); text != "threshold: 0.5\n" {
		t.Errorf("config.yaml is %q", text)
	}
	if e := got.tree["var/log/app"]; e.Uid != 1000 || e.Mode&0o777 != 0o755 {
		t.Errorf("/var/log/app: %+v", e)
	}
	for name := range got.tree {
		if strings.Contains(name, "site-packages/") && (strings.Contains(name, "/tests/") || strings.HasSuffix(name, ".pyi")) {
			t.Errorf("%s was to be left out", name)
		}
	}
	order, err := json.Marshal(map[string][]string{"entrypoint": c.Entrypoint, "cmd": c.Cmd, "test": c.Healthcheck.Test[1:]})
	if err != nil {
		t.Fatal(err)
	}
	const want = `True False
['predictions_total{leaves="true"} 1.0', 'predictions_total{leaves="false"} 1.0']
predict
1
`
	if out := python(t, tb, ref, serveXGBoost, string(order)); !strings.HasPrefix(out, want) || !strings.HasSuffix(out, " True\n") {
		t.Errorf("the service says\n%s\nwant\n%s", out, want)
	}
	checkInit(t, tb, ref)
}

// checkInit wants PID 1 to reap what others leave behind, and to forward signals and the status.
func checkInit(t *testing.T, tb *testbed.Testbed, ref string) {
	t.Helper()
	const orphans = `
import os, pathlib, subprocess, time
print(pathlib.Path("/proc/1/comm").read_text().strip())
subprocess.run(["sh", "-c", "sleep 0.1 & echo $!"])
for _ in range(100):
    states = [p.read_text().split(") ")[1][0] for p in pathlib.Path("/proc").glob("[0-9]*/stat")]
    if len(states) == 2 and "Z" not in states:
        break
    time.sleep(0.05)
print(len(states), "Z" in states)
`
	out := inImage(t, tb, ref, "/usr/bin/tini", "--", "python", "-c", orphans)
	if lines := strings.Fields(out); lines[0] != "tini" || !strings.HasSuffix(out, "\n2 False\n") {
		t.Errorf("PID 1 and the processes that are left: %q", out)
	}
	status, err := tb.Daemon.RunImage(t.Context(), ref, "/usr/bin/tini", "--", "sh", "-c", "trap 'echo stopped; exit 7' TERM; kill -TERM 1; while :; do sleep 0.1; done")
	if err != nil || status.Exit != 7 || status.Stdout != "stopped\n" {
		t.Errorf("a signal to PID 1: %+v, %v", status, err)
	}
}

// TestComposeOfTheService: the example's compose.yaml fits what its mlbuild.yaml makes.
func TestComposeOfTheService(t *testing.T) {
	p := example(t, "xgboost-api")
	var file struct {
		Services map[string]struct {
			Image    string
			Ports    []string
			Volumes  []string
			ReadOnly bool   `yaml:"read_only"`
			Grace    string `yaml:"stop_grace_period"`
			Deploy   struct {
				Resources struct {
					Reservations struct{ Devices []struct{ Driver string } }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(p.read("compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for service, profile := range map[string]string{"api": "cpu", "api-gpu": "gpu"} {
		s, r := file.Services[service], p.variant(profile).Recipes[0]
		if !strings.HasSuffix(s.Image, "/"+r.Name+":1.0"+r.Suffix) {
			t.Errorf("%s runs %s, mlbuild makes %s:1.0%s", service, s.Image, r.Name, r.Suffix)
		}
		var ports []string
		for _, port := range s.Ports {
			ports = append(ports, port[strings.LastIndex(port, ":")+1:]+"/tcp")
		}
		if !slices.Equal(ports, r.App.Ports) || !s.ReadOnly || !slices.Contains(s.Volumes, "logs:"+r.App.Dirs[0].Path) {
			t.Errorf("%s: ports %q of %q, volumes %q, read-only %t", service, ports, r.App.Ports, s.Volumes, s.ReadOnly)
		}
		if (len(s.Deploy.Resources.Reservations.Devices) == 1) != (r.Accelerator.Kind == "cuda") {
			t.Errorf("%s reserves %+v for the accelerator %s", service, s.Deploy.Resources.Reservations.Devices, r.Accelerator.Kind)
		}
		if grace, err := time.ParseDuration(s.Grace); err != nil || !strings.Contains(p.read("gunicorn.conf.py"), "graceful_timeout = 20 ") || grace <= 20*time.Second {
			t.Errorf("%s is killed after %s: %v", service, s.Grace, err)
		}
	}
}
