package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// workspace is a workspace of uv: a service, packages that it requires from the workspace and by a path, one that only another requires, and one that is none.
func workspace(x *testbed.Index) map[string]string {
	build := "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
	project := func(name, requires string) string {
		return "[project]\nname = '" + name + "'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = [" + requires + "]\n"
	}
	return map[string]string{
		"pyproject.toml": "[tool.uv.workspace]\nmembers = ['services/*', 'libs/*']\n[tool.uv]\nconstraint-dependencies = ['numpy<2']\n[tool.uv.sources]\ndeep = {workspace = true}\n",
		"services/api/pyproject.toml": project("api", "'flask', 'features[fast]', 'by-path', 'settings'") +
			"[tool.uv.sources]\nfeatures = {workspace = true}\nsettings = {workspace = true}\nby-path = {path = '../../vendor/by-path'}\n",
		"services/api/main.py":               "",
		"libs/features/pyproject.toml":       project("features", "'deep'") + "[project.optional-dependencies]\nfast = ['team-lib']\n[tool.uv.sources]\nteam-lib = {index = 'team'}\n[[tool.uv.index]]\nname = 'team'\nurl = '" + x.URL + "/team'\nexplicit = true\n" + build,
		"libs/features/features.py":          "",
		"libs/deep/pyproject.toml":           project("deep", "'gunicorn'") + build,
		"libs/deep/deep.py":                  "",
		"libs/settings/pyproject.toml":       project("settings", "'urgent==1.0'") + "[tool.uv]\npackage = false\n",
		"vendor/by-path/pyproject.toml":      project("by-path", "'steady==1.0'") + build,
		"vendor/by-path/by_path/__init__.py": "",
	}
}

// TestOwnPackages resolves a workspace with its uv.lock, with its versions alone, and without it: its packages are there, each to be built, and what they require.
func TestOwnPackages(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	want := []string{"by-path", "click", "deep", "features", "flask", "gunicorn", "numpy", "steady", "team-lib", "urgent"}
	for _, c := range []struct{ name, yaml string }{
		{"uv.lock", "python: {version: '3.11', project: services/api}\n"},
		{"versions of uv.lock", "python: {version: '3.11', project: services/api, constraints: [limits.txt]}\n"},
		{"no lock", "python: {version: '3.11', project: services/api, lock: none}\n"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			files := workspace(x)
			files["mlbuild.yaml"], files["limits.txt"] = c.yaml+"app: {copy: [services/api/main.py], command: [python, main.py]}\n", "click<9\n"
			p := newProject(t, files)
			if c.name != "no lock" {
				p.uvLock("UV_DEFAULT_INDEX=" + x.Simple())
			}
			r := p.variant("cpu").Recipes[0]
			got := here{t: t, x: x, dir: p.dir}.resolve(r)
			if got.lock == nil {
				t.Fatalf("uv says:\n%s", got.said)
			}
			wheels, err := got.choose()
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			built := map[string]string{}
			for _, w := range wheels {
				names = append(names, w.Name)
				if w.Source != nil {
					built[w.Name] = w.Source.Path
				}
				if w.Name == "numpy" && w.Version != "1.26.4" {
					t.Errorf("numpy %s: the workspace's constraints do not count", w.Version)
				}
			}
			if d := cmp.Diff(want, names); d != "" {
				t.Errorf("packages (-want +got):\n%s", d)
			}
			if d := cmp.Diff(map[string]string{"by-path": "vendor/by-path", "deep": "libs/deep", "features": "libs/features"}, built); d != "" {
				t.Errorf("built (-want +got):\n%s", d)
			}
			if !slices.ContainsFunc(r.Notes, func(n string) bool {
				return strings.Contains(n, "features (libs/features) is installed as a wheel of its own")
			}) {
				t.Errorf("notes: %q", r.Notes)
			}
		})
	}
}

// TestWheelhouse resolves from a directory of the project alone: the lock names its files by their paths and hashes.
func TestWheelhouse(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	p := newProject(t, map[string]string{
		"main.py": "", "mlbuild.yaml": "python: {version: '3.11'}\n", "requirements.txt": "--no-index\n--find-links ./wheels\nown\n",
		"wheels/own-1.0+team-py3-none-any.whl": string(wheeltest.Build("own", "1.0+team", "py3-none-any", map[string]string{"own.py": ""}, wheeltest.Requires("helper"))),
		"wheels/helper-2.0-py3-none-any.whl":   string(wheeltest.Build("helper", "2.0", "py3-none-any", map[string]string{"helper.py": ""})),
	})
	got := here{t: t, x: x, dir: p.dir}.resolve(p.variant("cpu").Recipes[0])
	if got.lock == nil {
		t.Fatalf("uv says:\n%s", got.said)
	}
	wheels, err := got.choose()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, w := range wheels {
		files = append(files, w.Path)
		if len(w.SHA256) != 64 || w.URL != "" {
			t.Errorf("%s: sha256 %q, URL %q", w.Name, w.SHA256, w.URL)
		}
	}
	if d := cmp.Diff([]string{"wheels/helper-2.0-py3-none-any.whl", "wheels/own-1.0+team-py3-none-any.whl"}, files); d != "" {
		t.Error(d)
	}
}
