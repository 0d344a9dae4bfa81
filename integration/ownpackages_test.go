package integration

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
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
			wheels := here{t: t, x: x, dir: p.dir}.chosen(r)
			var names []string
			for _, w := range wheels {
				names = append(names, w.Name)
				if w.Name == "numpy" && w.Version != "1.26.4" {
					t.Errorf("numpy %s: the workspace's constraints do not count", w.Version)
				}
			}
			if d := cmp.Diff(want, names); d != "" {
				t.Errorf("packages (-want +got):\n%s", d)
			}
			if d := cmp.Diff(map[string]string{"by-path": "vendor/by-path", "deep": "libs/deep", "features": "libs/features"}, builtFrom(wheels)); d != "" {
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

// chosen is what the image gets of what a recipe resolves to.
func (h here) chosen(r *recipe.Recipe) []pylock.Wheel {
	h.t.Helper()
	got := h.resolve(r)
	if got.lock == nil {
		h.t.Fatalf("uv says:\n%s", got.said)
	}
	wheels, err := got.choose()
	if err != nil {
		h.t.Fatal(err)
	}
	return wheels
}

// builtFrom maps the packages that are built to where their sources lie.
func builtFrom(wheels []pylock.Wheel) map[string]string {
	built := map[string]string{}
	for _, w := range wheels {
		if w.Source != nil {
			built[w.Name] = w.Source.Path
		}
	}
	return built
}

// in is the project in a directory of another.
func (p *project) in(dir string) *project {
	return &project{t: p.t, dir: filepath.Join(p.dir, dir), state: p.state}
}

// TestMemberOfAWorkspace is TestOwnPackages from the directory of the service: the lock, the packages and the settings are those of the workspace above.
func TestMemberOfAWorkspace(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	for name, yaml := range map[string]string{
		"uv.lock":             "python: {version: '3.11'}\n",
		"versions of uv.lock": "python: {version: '3.11', project: ., constraints: [limits.txt]}\n",
		"no lock":             "python: {version: '3.11', project: ., lock: none}\n",
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			files := workspace(x)
			files["services/api/mlbuild.yaml"], files["services/api/limits.txt"] = yaml, "click<9\n"
			whole := newProject(t, files)
			if name != "no lock" {
				whole.uvLock("UV_DEFAULT_INDEX=" + x.Simple())
			}
			p := whole.in("services/api")
			r := p.variant("cpu").Recipes[0]
			if exact := r.Requires.UV != nil; exact != (name == "uv.lock") {
				t.Errorf("uv takes the packages from its lock: %t", exact)
			}
			wheels := here{t: t, x: x, dir: p.dir}.chosen(r)
			var names []string
			for _, w := range wheels {
				names = append(names, w.Name+" "+w.Version)
			}
			for _, want := range []string{"flask 3.1.0", "gunicorn 23.0.0", "numpy 1.26.4", "steady 1.0", "team-lib 1.4", "urgent 1.0"} {
				if !slices.Contains(names, want) {
					t.Errorf("no %s in %q", want, names)
				}
			}
			if d := cmp.Diff(map[string]string{"by-path": "../../vendor/by-path", "deep": "../../libs/deep", "features": "../../libs/features"}, builtFrom(wheels)); d != "" {
				t.Errorf("built (-want +got):\n%s", d)
			}
		})
	}
}

// TestWorkspaceIsFoundAsByUV asks uv itself of which workspace each directory is.
func TestWorkspaceIsFoundAsByUV(t *testing.T) {
	p := newProject(t, map[string]string{
		"pyproject.toml": "[tool.uv.workspace]\nmembers = ['libs/*', 'services/*', 'deep/**', './vendor/[ab]*', 'one/**/last', 'plain']\nexclude = ['services/no*']\n",
	})
	dirs := []string{"libs/kit", "services/api", "services/none", "services/api/below", "services/api/plugins/x", "other/y", "deep", "vendor/a1", "vendor/c1", "one/last", "one/a/b/last", "plain", "plain/more"}
	for _, dir := range dirs {
		p.write(dir+"/pyproject.toml", "[project]\nname = '"+strings.ReplaceAll(dir, "/", "-")+"'\nversion = '1'\nrequires-python = '>=3.11'\n")
		p.write(dir+"/mlbuild.yaml", "python: {version: '3.11', project: .}\n")
		p.write(dir+"/main.py", "")
	}
	for _, dir := range dirs {
		cmd := exec.Command("uv", "workspace", "dir", "--preview")
		cmd.Dir = filepath.Join(p.dir, dir)
		said, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if root := strings.TrimSpace(string(said)); root != cmd.Dir {
			want, _ = filepath.Rel(root, cmd.Dir)
		}
		if got := p.in(dir).variant("cpu").Recipes[0].Above.Place(); got != want {
			t.Errorf("%s: in %q of its workspace, uv has it in %q", dir, got, want)
		}
	}
}

// TestMemberBuilds builds the image of a service from its own directory: the packages beside it are layers, an edit of one moves its layer alone, and a checkout
// at another place gives the same image.
func TestMemberBuilds(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := toyIndex(t)
	files := map[string]string{
		"pyproject.toml":              "[tool.uv.workspace]\nmembers = ['services/*', 'libs/*']\n",
		".dockerignore":               "**/left\n",
		"services/api/pyproject.toml": "[project]\nname = 'api'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['kit', 'other', 'shared']\n[tool.uv.sources]\nkit = {workspace = true}\nother = {workspace = true}\n",
		"services/api/main.py":        "import kit, other\nprint(kit.facts['origin'], other.facts['origin'])\n",
		"services/api/mlbuild.yaml":   "name: api\npython: {version: '3.11', indexes: [{name: standin, url: '" + x.Simple() + "', default: true}]}\napp: {copy: [main.py], command: [python, main.py]}\n",
		"secrets/key":                 "nobody asks for it",
	}
	for _, name := range []string{"kit", "other"} {
		for file, data := range toySource(name, "of "+name) {
			files["libs/"+name+"/"+file] = strings.Replace(data, "version = \"1.0\"\n", "version = \"1.0\"\nrequires-python = \">=3.11\"\n", 1)
		}
	}
	digests := func(p *project, tag string) []string {
		api := p.in("services/api")
		mustBuild(t, b, api.request(api.variant("cpu", tb.Registry.Ref("member:"+tag))))
		var layers []string
		for _, l := range readBack(t, tb.Registry, "member:"+tag).manifest.Layers {
			layers = append(layers, l.Digest.String())
		}
		return layers
	}
	first, second := newProject(t, files), newProject(t, files)
	first.uvLock("UV_DEFAULT_INDEX=" + x.Simple())
	second.write("uv.lock", first.read("uv.lock"))
	was := digests(first, "first")
	if out := inImage(t, tb, tb.Registry.Ref("member:first"), "python", "main.py"); out != "of kit of other\n" {
		t.Errorf("the image says %q", out)
	}
	if d := cmp.Diff(was, digests(second, "second")); d != "" {
		t.Errorf("a checkout at another place (-first +second):\n%s", d)
	}
	second.write("libs/kit/origin.txt", "edited")
	changed := 0
	for i, now := range digests(second, "edited") {
		if i >= len(was) || now != was[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("an edit of one package moves %d layers", changed)
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
