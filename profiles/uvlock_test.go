package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const uvLockText = `version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "api"
version = "1"
source = { virtual = "services/api" }
dependencies = [{ name = "flask" }, { name = "common" }]
[package.optional-dependencies]
gpu = [{ name = "torch" }]
[package.dev-dependencies]
dev = [{ name = "pytest" }]
[package.metadata]
requires-dist = [{ name = "flask" }, { name = "common", editable = "libs/common" }, { name = "torch", marker = "extra == 'gpu'" }]
[package.metadata.requires-dev]
dev = [{ name = "pytest" }]

[[package]]
name = "common"
version = "1"
source = { editable = "libs/common" }

[[package]]
name = "flask"
version = "3.1.0"
source = { registry = "https://index.example/simple" }
sdist = { url = "https://files.example/flask.tar.gz", hash = "sha256:` + sumA + `" }
wheels = [{ url = "https://files.example/flask.whl", hash = "sha256:` + sumB + `" }]

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version < '3.12'", "sys_platform == 'darwin'"]

[[package]]
name = "numpy"
version = "2.2.6"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version >= '3.12'"]

[[package]]
name = "torch"
version = "2.9.1"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://files.example/torch.whl", hash = "sha256:` + sumB + `" }]

[[package]]
name = "nvidia-cudnn-cu12"
version = "9"
source = { registry = "https://index.example/simple" }

[[package]]
name = "pytest"
version = "8.3.4"
source = { registry = "https://index.example/simple" }
`

// workspaceFiles is a workspace with one lock at its root.
func workspaceFiles(yaml string) memory {
	return memory{
		FileName: yaml, "uv.lock": uvLockText, "main.py": "",
		"pyproject.toml":              "[tool.uv.workspace]\nmembers = ['services/*', 'libs/*']\n",
		"services/api/pyproject.toml": "[project]\nname = 'api'\nversion = '1'\ndependencies = ['flask', 'common']\n[project.optional-dependencies]\ngpu = ['torch']\n[dependency-groups]\ndev = ['pytest']\n[tool.uv.sources]\ncommon = {workspace = true}\n",
		"libs/common/pyproject.toml":  "[project]\nname = 'common'\nversion = '1'\n",
	}
}

// TestUVWorkspace: the lock at the root serves a project below it, with what uv reads beside it.
func TestUVWorkspace(t *testing.T) {
	r := resolveMemory(t, workspaceFiles("python: {project: services/api, groups: [dev]}\n"), Selection{Profile: "gpu"})
	q := r.Requires
	if q.From != "uv.lock" || q.UV == nil || q.UV.Dir != "services/api" || q.Torch != "" {
		t.Fatalf("from %q, torch from %q, %+v", q.From, q.Torch, q.UV)
	}
	var names []string
	for _, f := range q.UV.Files {
		names = append(names, f.Path)
	}
	if d := cmp.Diff([]string{"libs/common/pyproject.toml", "pyproject.toml", "services/api/pyproject.toml", "uv.lock"}, names); d != "" {
		t.Error(d)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "common (libs/common) is installed as a wheel of its own, not as a link to its files") {
		t.Errorf("notes: %s", notes)
	}
	if len(q.Local) != 1 || q.Local[0].Path != "libs/common" || q.Local[0].Name != "common" {
		t.Errorf("own packages: %+v", q.Local)
	}
}

// TestUVPins: where the profile takes another build than the lock, the versions of the lock are constraints.
func TestUVPins(t *testing.T) {
	for _, c := range []struct{ yaml, profile, why string }{
		{"python: {project: services/api, extras: [gpu]}\n", "cpu", "another build of torch"},
		{"python: {project: services/api, extras: [gpu]}\nprofiles: {gpu: {accelerator: {cuda: \"12.6\"}}}\n", "gpu", "another build of torch"},
		{"python: {project: services/api, packages: [pandas]}\n", "gpu", "asks for more than it"},
		{"python: {project: services/api, lock: uv.lock, overrides: [\"flask==3.0\"]}\n", "gpu", "asks for more than it"},
	} {
		r := resolveMemory(t, workspaceFiles(c.yaml), Selection{Profile: c.profile})
		q := r.Requires
		if q.UV != nil || q.From != "uv.lock" || !strings.Contains(strings.Join(r.Notes, "\n"), "the versions of uv.lock are kept, packages are chosen anew: the profile") || !strings.Contains(strings.Join(r.Notes, "\n"), c.why) {
			t.Errorf("%s: from %q, %+v, notes %v", c.yaml, q.From, q.UV, r.Notes)
		}
		want := "flask==3.1.0\nnumpy==1.26.4 ; (python_full_version < '3.12') or (sys_platform == 'darwin')\nnumpy==2.2.6 ; (python_full_version >= '3.12')\ntorch==2.9.1\nnvidia-cudnn-cu12==9\npytest==8.3.4\n"
		if q.Torch != "" {
			want = strings.Replace(want, "nvidia-cudnn-cu12==9\n", "", 1)
		}
		if len(q.Overrides) > 0 {
			want = strings.Replace(want, "flask==3.1.0\n", "", 1)
		}
		if d := cmp.Diff(want, q.Constraints[len(q.Constraints)-1].Data); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.yaml, d)
		}
		if i := slices.IndexFunc(q.Hashes, func(h recipe.PinnedHashes) bool { return h.Name == "flask" }); len(q.Overrides) == 0 && (i < 0 || !slices.Equal(q.Hashes[i].SHA256, []string{sumA, sumB})) {
			t.Errorf("hashes: %+v", q.Hashes)
		}
		if !strings.Contains(q.Project.File.Data, "[tool.uv.sources.common]\npath = '../../../local/libs/common'\n") || strings.Contains(q.Project.File.Data, "workspace") {
			t.Errorf("uv does not see the project's own code where it lies:\n%s", q.Project.File.Data)
		}
		if len(q.Local) != 1 || q.Local[0].Path != "libs/common" {
			t.Errorf("own packages: %+v", q.Local)
		}
	}
}

func TestLockKey(t *testing.T) {
	none := resolveMemory(t, workspaceFiles("python: {project: services/api, lock: none}\n"), Selection{})
	if q := none.Requires; q.From != "" || q.UV != nil || len(q.Constraints) > 0 {
		t.Errorf("lock: none: %+v", q)
	}
	files := memory{FileName: "python: {lock: locks/pylock.api.toml, extras: [serve], groups: [dev]}\n", "locks/pylock.api.toml": "", "requirements.txt": "flask\n", "main.py": ""}
	q := resolveMemory(t, files, Selection{}).Requires
	if q.Lock != "locks/pylock.api.toml" || q.From != q.Lock || q.Files != nil || q.Torch != "" || !slices.Equal(q.Extras, []string{"serve"}) || !slices.Equal(q.Groups, []string{"dev"}) {
		t.Errorf("pylock: %+v", q)
	}
	files = workspaceFiles("python: {lock: uv.lock}\n")
	files["pyproject.toml"] = files["services/api/pyproject.toml"]
	files["uv.lock"] = strings.ReplaceAll(uvLockText, "services/api", ".")
	files["requirements.txt"] = "other\n"
	if q := resolveMemory(t, files, Selection{Profile: "gpu"}).Requires; q.UV == nil || q.UV.Dir != "." || len(q.Files) > 0 {
		t.Errorf("a named uv.lock: %+v", q)
	}
}

func TestFaultsOfLocks(t *testing.T) {
	with := func(yaml string, more ...string) map[string]string {
		files := map[string]string(workspaceFiles(yaml))
		files["none"] = "1"
		for i := 0; i+1 < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	runFaults(t, []faultCase{
		{"stale", with("python: {project: services/api}\n", "services/api/pyproject.toml", "[project]\nname = 'api'\ndependencies = ['flask', 'pandas']\n"), Selection{}, []string{
			"E-LOCK-STALE services/api/pyproject.toml:3:27: uv.lock does not know pandas, which services/api/pyproject.toml asks for | uv lock"}},
		{"version", with("python: {project: services/api}\n", "uv.lock", "version = 2\n"), Selection{}, []string{"E-LOCK uv.lock: version 2 of uv.lock is not supported"}},
		{"malformed", with("python: {project: services/api}\n", "uv.lock", "version = \n"), Selection{}, []string{"E-SPEC uv.lock:1:11: TOML"}},
		{"unknown", with("python: {lock: Pipfile.lock, packages: [flask]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: Pipfile.lock is no lock that mlbuild reads | uv.lock, poetry.lock and pylock.toml"}},
		{"missing", with("python: {lock: pylock.toml}\n"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:1:16: the lock pylock.toml does not exist"}},
		{"both", with("python: {lock: pylock.toml, packages: [flask]}\n", "pylock.toml", ""), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:40: python.packages has no effect beside python.lock: pylock.toml, which lists every package | take one"}},
		{"of nothing", with("python: {lock: uv.lock, packages: [flask]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: uv.lock belongs to a pyproject.toml | project: ."}},
	})
}
