package profiles

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const poetryText = `[tool.poetry]
name = "Poetry_App"
version = "1.0"
package-mode = false

[tool.poetry.dependencies]
python = "^3.11"
flask = "^3.0"
torch = {version = "^2.9", source = "torch-cpu"}
team-lib = {version = "*", source = "team"}
gunicorn = {version = "*", optional = true}
numpy = [{version = "1.26.4", python = "<3.12"}, {version = "^2.1", python = ">=3.12"}]

[tool.poetry.extras]
serve = ["gunicorn"]

[tool.poetry.group.test.dependencies]
pytest = "*"

[tool.poetry.dev-dependencies]
ruff = "*"

[[tool.poetry.source]]
name = "torch-cpu"
url = "https://m.example/whl/cpu"
priority = "explicit"

[[tool.poetry.source]]
name = "Team_Index"
url = "https://team.example/simple"
priority = "supplemental"

[tool.poetry.scripts]
app = "app.main:run"
`

const poetryLockText = `[[package]]
name = "Flask"
version = "3.1.0"
files = [{file = "flask-3.1.0-py3-none-any.whl", hash = "sha256:` + sumA + `"}]

[[package]]
name = "numpy"
version = "1.26.4"
markers = "python_version < \"3.12\""
files = []

[[package]]
name = "numpy"
version = "2.2.6"
markers = "python_version >= \"3.12\""
files = []

[[package]]
name = "torch"
version = "2.9.1+cpu"
files = [{file = "torch-2.9.1+cpu-cp311-cp311-linux_x86_64.whl", hash = "sha256:` + sumA + `"}]
[package.source]
type = "legacy"
reference = "torch-cpu"

[[package]]
name = "team-lib"
version = "1.4"
[package.source]
type = "legacy"
reference = "Team_Index"

[[package]]
name = "nvidia-cudnn-cu12"
version = "9"

[[package]]
name = "gunicorn"
version = "23.0.0"
[[package]]
name = "pytest"
version = "8.3.4"
[[package]]
name = "ruff"
version = "1"
[[package]]
name = "from-git"
version = "1"
[package.source]
type = "git"

[metadata]
lock-version = "1.1"
[metadata.files]
gunicorn = [{file = "gunicorn-23.0.0-py3-none-any.whl", hash = "sha256:` + sumB + `"}]
`

const (
	sumA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// TestPoetryProject reads what old projects of Poetry have, with its lock.
func TestPoetryProject(t *testing.T) {
	files := memory{"pyproject.toml": poetryText, "poetry.lock": poetryLockText, "main.py": "",
		FileName: "python: {project: .}\nprofiles: {test: {extends: cpu, python: {extras: [serve], groups: [test, dev]}}}\n"}
	r := resolveMemory(t, files, Selection{Profile: "test"})
	q := r.Requires
	if r.Name != "poetry-app" || r.Python.Version != "3.11" || r.App.CommandFrom != "pyproject.toml [project.scripts]" || q.From != "poetry.lock" {
		t.Errorf("name %q, Python %v, command from %q, versions from %q", r.Name, r.Python, r.App.CommandFrom, q.From)
	}
	var pins string
	for _, f := range q.Constraints {
		pins += f.Path + "\n" + f.Data
	}
	if d := cmp.Diff(`poetry.lock
flask==3.1.0
numpy==1.26.4 ; python_version < "3.12"
numpy==2.2.6 ; python_version >= "3.12"
torch==2.9.1
team-lib==1.4
nvidia-cudnn-cu12==9
gunicorn==23.0.0
pytest==8.3.4
ruff==1
`, pins); d != "" {
		t.Errorf("constraints (-want +got):\n%s", d)
	}
	wantHashes := []recipe.PinnedHashes{{Name: "flask", Version: "3.1.0", SHA256: []string{sumA}}, {Name: "gunicorn", Version: "23.0.0", SHA256: []string{sumB}}, {Name: "torch", Version: "2.9.1+cpu", SHA256: []string{sumA}}}
	if d := cmp.Diff(wantHashes, q.Hashes); d != "" {
		t.Errorf("hashes (-want +got):\n%s", d)
	}
	wantIndexes := []recipe.Index{{Name: "team-index", URL: "https://team.example/simple", Packages: []string{"team-lib"}}, {Name: "pytorch-cpu", URL: "https://m.example/whl/cpu"}}
	if d := cmp.Diff(wantIndexes, q.Indexes); d != "" {
		t.Errorf("indexes (-want +got):\n%s", d)
	}
	for _, part := range []string{"'flask>=3.0,<4.0'", "'numpy==1.26.4 ; python_version < \"3.12\"'", "serve = ['gunicorn']", "test = ['pytest']", "dev = ['ruff']", "'torch>=2.9,<3.0'"} {
		if !strings.Contains(q.Project.File.Data, part) {
			t.Errorf("uv's pyproject.toml does not have %s:\n%s", part, q.Project.File.Data)
		}
	}
	if strings.Contains(q.Project.File.Data, "tool.poetry") || strings.Contains(q.Project.File.Data, "python>=") {
		t.Errorf("uv's pyproject.toml:\n%s", q.Project.File.Data)
	}
	if got := resolveMemory(t, files, Selection{Profile: "gpu"}); got.Requires.Torch != "" || !strings.Contains(strings.Join(got.Notes, "\n"), "takes torch from the default index") {
		t.Errorf("gpu takes torch from %q: %v", got.Requires.Torch, got.Notes)
	}
}

func TestFaultsOfPoetry(t *testing.T) {
	project := func(dependencies string) map[string]string {
		return map[string]string{"none": "1", FileName: "python: {project: .}\n", "pyproject.toml": "[tool.poetry.dependencies]\npython = \"^3.11\"\n" + dependencies}
	}
	stale := project("flask = \"*\"\nnumpy = \"*\"\n")
	stale["poetry.lock"] = poetryLockText + "\n"
	stale["pyproject.toml"] += "left-out = \"*\"\n"
	runFaults(t, []faultCase{
		{"union", project("flask = \"^2 || ^3\"\n"), Selection{}, []string{"E-SPEC pyproject.toml:3:1: flask of [tool.poetry] has the constraint \"^2 || ^3\" | python.packages"}},
		{"unknown", project("flask = \"newest\"\n"), Selection{}, []string{"E-SPEC pyproject.toml:3:1: has the constraint \"newest\", which is none that mlbuild knows"}},
		{"python", project("flask = {version = \"*\", python = \"2||3\"}\n"), Selection{}, []string{"E-SPEC pyproject.toml:3:1: flask of [tool.poetry] has the constraint \"2||3\""}},
		{"stale", stale, Selection{}, []string{"E-LOCK-STALE pyproject.toml:5:1: poetry.lock does not have left-out, which pyproject.toml asks for | poetry lock"}},
	})
}

// TestDynamicDependencies: setuptools reads them from files, Poetry 2 from its own table.
func TestDynamicDependencies(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"setuptools", "dynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = ['deps.txt']}\n"},
		{"one file", "dynamic = ['dependencies', 'version']\n[tool.setuptools.dynamic]\ndependencies = {file = 'deps.txt'}\n"},
		{"poetry", "dynamic = ['dependencies']\n[tool.poetry.dependencies]\nflask = '^3'\n"},
	} {
		files := memory{"pyproject.toml": "[project]\nname = 'x'\n" + c.text, "deps.txt": "# what is needed\nflask>=3,<4 # web\n", FileName: "python: {project: .}\n", "main.py": ""}
		if data := resolveMemory(t, files, Selection{}).Requires.Project.File.Data; !strings.Contains(data, "dependencies = ['flask>=3,<4']") {
			t.Errorf("%s: uv reads\n%s", c.name, data)
		}
	}
}

// TestPoetryPlaces: packages that Poetry takes from a path, a URL or git come from there, whether [project] names them or [tool.poetry] alone.
func TestPoetryPlaces(t *testing.T) {
	const places = `[tool.poetry.dependencies]
python = "^3.11"
near = {path = "libs/near", develop = true, extras = ["fast"]}
ready = {path = "wheels/ready-1.0-py3-none-any.whl"}
web = {url = "https://files.example/web-1.0-py3-none-any.whl"}
repo = {git = "https://git.example/repo.git", rev = "0123456789012345678901234567890123456789"}
plain = "^1.0"
[tool.poetry.group.test.dependencies]
checks = {path = "libs/checks"}
`
	for _, c := range []struct{ name, head, plain string }{
		{"Poetry alone", "", ">=1.0,<2.0"},
		{"beside [project]", "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['near (>=0)', 'ready', 'Web; sys_platform == \"linux\"', 'repo', 'plain']\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := memory{
				"pyproject.toml": c.head + places, "libs/near/pyproject.toml": "[tool.poetry]\nname = 'near'\nversion = '1'\n[tool.poetry.dependencies]\nfar = {path = '../far'}\n",
				"libs/far/setup.py": "from setuptools import setup\nsetup()\n", "libs/checks/setup.py": "from setuptools import setup\nsetup()\n",
				"wheels/ready-1.0-py3-none-any.whl": "PK", "main.py": "", FileName: "python: {project: ., groups: [test]}\n",
			}
			r := resolveMemory(t, files, Selection{})
			var local []string
			for _, l := range r.Requires.Local {
				local = append(local, l.Path)
			}
			if d := cmp.Diff([]string{"libs/checks", "libs/far", "libs/near", "wheels/ready-1.0-py3-none-any.whl"}, local); d != "" {
				t.Errorf("packages in the project (-want +got):\n%s", d)
			}
			data := r.Requires.Project.File.Data
			for _, part := range []string{
				"'near[fast]'", "'ready'", "'far'", "'repo @ git+https://git.example/repo.git@0123456789012345678901234567890123456789'", "'plain" + c.plain + "'", "test = ['checks']",
				"[tool.uv.sources.near]\npath = '../local/libs/near'", "[tool.uv.sources.far]\npath = '../local/libs/far'",
				"[tool.uv.sources.ready]\npath = '../local/wheels/ready-1.0-py3-none-any.whl'", "@ https://files.example/web-1.0-py3-none-any.whl",
			} {
				if !strings.Contains(data, part) {
					t.Errorf("uv's pyproject.toml does not have %s:\n%s", part, data)
				}
			}
		})
	}
}

// TestSourcesByMarker: of several places of a package that one counts which the image's Python has, and the others are left to their markers.
func TestSourcesByMarker(t *testing.T) {
	const project = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.10'\ndependencies = ['near']\n[tool.uv.sources]\nnear = [\n"
	const old, today = "{path = 'old', marker = \"python_version < '3.12'\"},\n", "{path = 'today', marker = \"python_version >= '3.12'\"},\n"
	const byGit = "{git = 'https://git.example/near.git', marker = \"python_version >= '3.12'\"},\n"
	const poetry = "[tool.poetry]\nname = 'app'\nversion = '1'\n[tool.poetry.dependencies]\npython = '>=3.10'\nnear = [{path = 'old', python = '<3.12'}, {version = '^2', python = '>=3.12'}]\n"
	for _, c := range []struct{ name, text, python, local, has, not string }{
		{"the first of two paths", project + old + today + "]\n", "3.11", "old", "path = '../local/old'", "today"},
		{"the second of two paths", project + old + today + "]\n", "3.12", "today", "path = '../local/today'", "old"},
		{"a path beside git", project + old + byGit + "]\n", "3.11", "old", "path = '../local/old'", "git.example"},
		{"git beside a path", project + old + byGit + "]\n", "3.12", "", "git.example/near.git", ""},
		{"Poetry's path", poetry, "3.11", "old", "path = '../local/old'", ""},
		{"Poetry's version", poetry, "3.12", "", "'near>=2,<3 ; ", "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := resolveMemory(t, memory{
				"pyproject.toml": c.text, "main.py": "", "old/pyproject.toml": "[project]\nname = 'near'\nversion = '1'\n", "today/pyproject.toml": "[project]\nname = 'near'\nversion = '2'\n",
				FileName: "python: {project: ., version: '" + c.python + "'}\n",
			}, Selection{})
			local := ""
			for _, l := range r.Requires.Local {
				local += l.Path
			}
			if data := r.Requires.Project.File.Data; local != c.local || !strings.Contains(data, c.has) || c.not != "" && strings.Contains(data, c.not) {
				t.Errorf("sent %q, want %q; uv reads\n%s", local, c.local, data)
			}
		})
	}
}
