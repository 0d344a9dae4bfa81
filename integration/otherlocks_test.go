package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// TestUVLockWithForks locks with the real uv and takes each profile's build of torch, by marker, by extra, and where the lock has another. What the lock has stays
// although the index has newer versions by then.
func TestUVLockWithForks(t *testing.T) {
	const indexes = "[[tool.uv.index]]\nname = 'pytorch-cpu'\nurl = '%[1]s'\nexplicit = true\n[[tool.uv.index]]\nname = 'pytorch-cu126'\nurl = '%[2]s'\nexplicit = true\n"
	const head = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11'\n"
	x := inputsIndex(t, testbed.IndexOptions{})
	for _, c := range []struct {
		name, project, yaml string
		want                map[string]string // profile → its torch
		exact               []string          // profiles that uv itself takes from the lock
	}{
		{
			"CPU elsewhere", head + "dependencies = ['torch', 'flask']\n[tool.uv.sources]\ntorch = [{index = 'pytorch-cpu', marker = \"sys_platform != 'linux'\"}, {index = 'pytorch-cu126', marker = \"sys_platform == 'linux'\"}]\n",
			"profiles: {g126: {extends: gpu, accelerator: {cuda: '12.6'}}}\n", map[string]string{"cpu": "2.9.1+cpu", "gpu": "2.9.1+cu126", "g126": "2.9.1+cu126"}, []string{"gpu", "g126"},
		},
		{
			"CPU alone", head + "dependencies = ['torch', 'flask']\n[tool.uv.sources]\ntorch = {index = 'pytorch-cpu'}\n",
			"profiles: {g126: {extends: gpu, accelerator: {cuda: '12.6'}}}\n", map[string]string{"cpu": "2.9.1+cpu", "gpu": "2.9.1", "g126": "2.9.1+cu126"}, []string{"cpu"},
		},
		{
			"by extra", head + "dependencies = ['flask']\n[project.optional-dependencies]\ncpu = ['torch', 'numpy==1.26.4']\ncu126 = ['torch', 'numpy==2.1.3']\n[tool.uv]\nconflicts = [[{extra = 'cpu'}, {extra = 'cu126'}]]\n" +
				"[tool.uv.sources]\ntorch = [{index = 'pytorch-cpu', extra = 'cpu'}, {index = 'pytorch-cu126', extra = 'cu126'}]\n",
			"profiles: {cpu: {python: {extras: [cpu], packages: [gunicorn]}}, gpu: {python: {extras: [cu126], packages: [gunicorn]}}, both: {extends: gpu, python: {extras: [cu126], packages: []}}}\n",
			map[string]string{"cpu": "2.9.1+cpu", "gpu": "2.9.1+cu126", "both": "2.9.1+cu126"}, []string{"both"},
		},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			p := newProject(t, map[string]string{
				"main.py": "", "mlbuild.yaml": "pytorch_index: " + x.URL + "/whl\npython: {version: '3.11', project: .}\n" + c.yaml,
				"pyproject.toml": c.project + fmt.Sprintf(indexes, x.Torch("cpu"), x.Torch("cu126")),
			})
			p.uvLock("UV_DEFAULT_INDEX=" + x.Simple())
			x.AddWheel("simple", "click", "9.0", "py3-none-any", map[string]string{"click/__init__.py": ""}) // flask would take it
			defer x.Remove("simple", wheeltest.Filename("click", "9.0", "py3-none-any"))
			for profile, torch := range c.want {
				got := here{t: t, x: x}.packages(p, profile)
				for _, want := range []string{"torch " + torch, "click 8.1.8"} {
					if !slices.Contains(got, want) {
						t.Errorf("%s: no %s in %q", profile, want, got)
					}
				}
				if exact := p.variant(profile).Recipes[0].Requires.UV != nil; exact != slices.Contains(c.exact, profile) {
					t.Errorf("%s: uv takes the packages from its lock: %t", profile, exact)
				}
				if numpy := map[string]string{"cpu": "numpy 1.26.4", "gpu": "numpy 2.1.3"}[profile]; c.name == "by extra" && numpy != "" && !slices.Contains(got, numpy) {
					t.Errorf("%s: no %s in %q", profile, numpy, got)
				}
			}
		})
	}
}

// TestUVLockWithAnotherName: the accelerator's package comes in the locked version, and with it nothing that is newer than the lock.
func TestUVLockWithAnotherName(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	add := func(name, version string, requires ...string) {
		x.AddWheel("simple", name, version, "py3-none-any", map[string]string{strings.ReplaceAll(name, "-", "_") + ".py": version}, wheeltest.Requires(requires...))
	}
	for _, version := range []string{"2.19.0", "2.20.0"} {
		add("tensorflow", version, "click")
		add("tensorflow-cpu", version, "click")
	}
	p := newProject(t, map[string]string{"main.py": "", "mlbuild.yaml": "python: {version: '3.11', project: .}\n",
		"pyproject.toml": "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['tensorflow>=2.19', 'flask']\n[tool.uv]\nconstraint-dependencies = ['tensorflow<2.20']\n"})
	p.uvLock("UV_DEFAULT_INDEX=" + x.Simple())
	add("click", "9.0")
	got := here{t: t, x: x}.packages(p, "cpu")
	if d := cmp.Diff([]string{"click 8.1.8", "flask 3.1.0", "tensorflow-cpu 2.19.0"}, got); d != "" {
		t.Error(d)
	}
}
