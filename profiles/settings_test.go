package profiles

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// settings resolves a project with main.py and the given text as its file.
func settings(t *testing.T, text string, sel Selection) *recipe.Recipe {
	t.Helper()
	files := memory{FileName: text, "main.py": "", "config.production.yaml": "", "config.staging.yaml": "", "requirements.txt": "flask\n"}
	p, err := Load(files.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(sel)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLockIgnoresLeave: what a wheel may bring, and which of two stands above, leaves the lock as it is; the name of a package that is allowed does not.
func TestLockIgnoresLeave(t *testing.T) {
	inputs := func(python string) string {
		return settings(t, "python: {requirements: [requirements.txt]"+python+"}\n", Selection{}).Requires.Inputs
	}
	plain := inputs("")
	for _, python := range []string{", allow: [Demo.x/demo.pth]", ", last: [flask]", ", strict_wheels: true"} {
		if inputs(python) != plain {
			t.Errorf("%s makes the lock stale", python)
		}
	}
	if inputs(", allow: [xgboost]") == plain {
		t.Error("an allowed package leaves the lock as it is")
	}
	r := settings(t, "python: {requirements: [requirements.txt], allow: [Demo.x/demo.pth], last: [Flask, my_lib, flask], strict_wheels: true}\n", Selection{})
	if q := r.Requires; !slices.Equal(q.Allow, []string{"demo-x/demo.pth"}) || !slices.Equal(q.Last, []string{"flask", "my-lib"}) || !q.StrictWheels {
		t.Errorf("%+v", q)
	}
}

// TestPresets: those of a GPU are taken in CUDA profiles alone, and app.env wins over all.
func TestPresets(t *testing.T) {
	const text = "app: {presets: [pytorch-memory, tf-growth, no-bytecode, one-thread], env: {OMP_NUM_THREADS: \"2\"}}\n"
	common := []recipe.Pair{{Name: "MKL_NUM_THREADS", Value: "1"}, {Name: "OMP_NUM_THREADS", Value: "2"}, {Name: "OPENBLAS_NUM_THREADS", Value: "1"}, {Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}, {Name: "PYTHONUNBUFFERED", Value: "1"}}
	if got := settings(t, text, Selection{}).App.Env; !slices.Equal(got, common) {
		t.Errorf("cpu: %v, want %v", got, common)
	}
	gpu := settings(t, text, Selection{Profile: "gpu"}).App.Env
	for _, want := range []recipe.Pair{{Name: "PYTORCH_CUDA_ALLOC_CONF", Value: "expandable_segments:True"}, {Name: "TF_FORCE_GPU_ALLOW_GROWTH", Value: "true"}} {
		if !slices.Contains(gpu, want) {
			t.Errorf("gpu: %v, want %v in it", gpu, want)
		}
	}
}

// TestPresetTable: the names are sorted, no two presets differ on a variable, and docs/runtime.md lists them all.
func TestPresetTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(presetNames()) {
		t.Errorf("not sorted: %q", presetNames())
	}
	values := map[string]string{}
	for _, p := range Presets {
		row := "| `" + p.Name + "` | "
		for i, e := range p.Env {
			if v, ok := values[e.Name]; ok && v != e.Value {
				t.Errorf("%s sets %s to %s, another preset to %s", p.Name, e.Name, e.Value, v)
			}
			values[e.Name] = e.Value
			if i > 0 {
				row += ", "
			}
			row += "`" + e.Name + "=" + e.Value + "`"
		}
		if row += " | "; !strings.Contains(string(doc), row) || !strings.Contains(string(doc), p.Source) {
			t.Errorf("docs/runtime.md has no row %q with %s", row, p.Source)
		}
	}
}

// TestInit: tini is a system package, and stands before the entrypoint.
func TestInit(t *testing.T) {
	r := settings(t, "system: {runtime: [libgomp1]}\napp: {init: true, command: [python, main.py]}\n", Selection{})
	if !slices.Equal(r.System, []string{"libgomp1", "tini"}) || !slices.Equal(r.App.Entrypoint, []string{"/usr/bin/tini", "--"}) ||
		!slices.Equal(r.App.Command, []string{"python", "main.py"}) {
		t.Errorf("system %q, entrypoint %q, command %q", r.System, r.App.Entrypoint, r.App.Command)
	}
	r = settings(t, "system: {runtime: [\"tini=0.19.0-1\"]}\napp: {init: true, entrypoint: [python, -m], command: [x]}\n", Selection{})
	if !slices.Equal(r.System, []string{"tini=0.19.0-1"}) || !slices.Equal(r.App.Entrypoint, []string{"/usr/bin/tini", "--", "python", "-m"}) {
		t.Errorf("system %q, entrypoint %q", r.System, r.App.Entrypoint)
	}
	if off := settings(t, "profiles: {cpu: {app: {init: false}}}\napp: {init: true}\n", Selection{}); off.System != nil || off.App.Entrypoint != nil {
		t.Errorf("switched off: system %q, entrypoint %q", off.System, off.App.Entrypoint)
	}
}

// TestConfigOfTheEnvironment: one argument chooses the file and is in the environment.
func TestConfigOfTheEnvironment(t *testing.T) {
	const text = "args: {ENV: production}\napp:\n  copy: [main.py, {from: \"config.${ENV}.yaml\", to: config.yaml}]\n  env: {APP_ENV: \"${ENV}\"}\n"
	for _, env := range []string{"production", "staging"} {
		sel := Selection{Args: map[string]string{"ENV": env}}
		if env == "production" {
			sel.Args = nil // it is the default
		}
		r := settings(t, text, sel)
		rule := r.App.Copy[1]
		if !slices.Equal(rule.Files, []string{"config." + env + ".yaml"}) || rule.To != "/app/config.yaml" || !slices.Contains(r.App.Env, recipe.Pair{Name: "APP_ENV", Value: env}) {
			t.Errorf("%s: %+v with %v", env, rule, r.App.Env)
		}
	}
}

// TestHealthcheck: the image's own Python asks; the first TCP port is the service's.
func TestHealthcheck(t *testing.T) {
	ask := func(port, wait string) string {
		return "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', " + port + ", timeout=" + wait +
			"); c.request('GET', '/health'); sys.exit(c.getresponse().status >= 400)"
	}
	for _, c := range []struct{ text, code string }{
		{"{ports: [8000], healthcheck: /health}", ask("8000", "5")},
		{"{ports: [9443/udp, 9090, 8000], healthcheck: /health}", ask("9090", "5")},
		{"{ports: [9090, 8000], healthcheck: {http: /health, port: 8000, timeout: 3s}}", ask("8000", "5")},
		{"{ports: [8000], healthcheck: {http: /health, timeout: 12.5s, start_period: 2m, start_interval: 1s, retries: 4}}", ask("8000", "12.5")},
	} {
		h := settings(t, "app: "+c.text+"\n", Selection{}).App.Healthcheck
		if want := []string{"CMD", "python", "-I", "-S", "-c", c.code}; !slices.Equal(h.Test, want) {
			t.Errorf("%s: %q, want %q", c.text, h.Test, want)
		}
		if strings.Contains(c.text, "retries") && (h.StartPeriod != 120 || h.StartInterval != 1 || h.Retries != 4 || h.Timeout != 12.5) {
			t.Errorf("%s: %+v", c.text, h)
		}
	}
}

// TestRuntimePage resolves the example of docs/runtime.md, in both profiles and another environment.
func TestRuntimePage(t *testing.T) {
	doc, err := os.ReadFile("../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(doc), "```yaml\n")
	if len(parts) != 2 {
		t.Fatalf("%d examples", len(parts)-1)
	}
	text, _, _ := strings.Cut(parts[1], "```")
	files := memory{FileName: text, "src/main.py": "", "config.production.yaml": "", "config.staging.yaml": "", "requirements.txt": "flask\n"}
	p, err := Load(files.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, sel := range []Selection{{}, {Profile: "gpu", Args: map[string]string{"ENV": "staging", "MODEL_VERSION": "4"}}} {
		r, err := p.Resolve(sel)
		if err != nil {
			t.Fatal(err)
		}
		version := cmp.Or(sel.Args["MODEL_VERSION"], "3")
		if !slices.Contains(r.App.Labels, recipe.Pair{Name: "org.example.model.url", Value: "https://models.example/sentiment/" + version}) {
			t.Errorf("labels %v", r.App.Labels)
		}
		if want := []string{"8000/tcp", "9090/tcp"}; !slices.Equal(r.App.Ports, want) || !strings.Contains(r.App.Healthcheck.Test[5], "8000") {
			t.Errorf("ports %q, health check %q", r.App.Ports, r.App.Healthcheck.Test)
		}
	}
}
