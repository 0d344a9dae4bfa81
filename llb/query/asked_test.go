package query

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// projectOf resolves a project in memory, for amd64 and Python 3.11.
func projectOf(t *testing.T, files map[string]string) *recipe.Recipe {
	t.Helper()
	fsys := fstest.MapFS{"main.py": &fstest.MapFile{Mode: 0o644}}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
	}
	p, err := profiles.Load(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(profiles.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	pinnedPython = "python: {version: \"3.11\"}\n"
	project      = "[project]\nname = 'app'\nversion = '1'\n"
)

// TestNamedOfProject: only a requirement that the profile asks for binds a package to the index of PyTorch, and so brings it; a text that looks like one
// does not.
func TestNamedOfProject(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, toml string
		want       string
	}{
		"dependency":           {"", project + "dependencies = ['torch>=2']\n", "torch"},
		"another spelling":     {"", project + "dependencies = [\n  \"Torch.Geometric\", # why\n  \"TorchVision [x] >1 ; python_version > '3'\",\n]\n", "torchvision"},
		"keywords":             {"", project + "keywords = ['torch']\ndependencies = ['flask']\n", ""},
		"classifiers":          {"", project + "classifiers = ['torch']\ndescription = 'torch'\n", ""},
		"URLs":                 {"", project + "[project.urls]\ntorch = 'torch'\n", ""},
		"scripts":              {"", project + "[project.scripts]\ntorch = 'torch'\n", ""},
		"comment":              {"", project + "dependencies = [] # 'torch', \"torchvision\"\n# 'torch'\n", ""},
		"other extra":          {"", project + "[project.optional-dependencies]\ngpu = ['torchvision']\nweb = ['flask']\n", ""},
		"extra":                {"extras: [GPU_x]", project + "[project.optional-dependencies]\ngpu-x = ['torchvision']\nweb = ['torch']\n", "torchvision"},
		"extra in an extra":    {"extras: [all]", project + "optional-dependencies = { all = ['App[gpu,web]'], gpu = ['torchvision', 'app[all]'], other = ['torch'] }\n", "torchvision"},
		"extra of itself":      {"", project + "dependencies = ['app[gpu]']\noptional-dependencies.gpu = ['torchvision']\n", "torchvision"},
		"other group":          {"", project + "[dependency-groups]\ndev = ['torchaudio']\n", ""},
		"group with a group":   {"groups: [dev]", project + "[dependency-groups]\nDev = [{ include-group = 'Te_st' }]\nte-st = ['torchaudio']\nmore = ['torch']\n", "torchaudio"},
		"table of a tool":      {"", project + "[tool.ruff]\nignore = ['torch']\n[[tool.mypy.overrides]]\nmodule = ['torch']\n[tool.pixi]\ndependencies = ['torch']\n", ""},
		"build system":         {"", "[build-system]\nrequires = ['torch']\n" + project, ""},
		"source alone":         {"", project + "[tool.uv.sources]\ntorch = { index = 'x' }\n[[tool.uv.index]]\nname = 'x'\nurl = 'https://torch.example/s'\n", ""},
		"constraint of uv":     {"", project + "[tool.uv]\nconstraint-dependencies = ['torch<3']\n", ""},
		"override of uv":       {"", project + "[tool.uv]\noverride-dependencies = ['torch==2.9.1']\n", ""},
		"dev dependency of uv": {"", project + "[tool.uv]\ndev-dependencies = ['torch']\n", ""},
		"poetry":               {"", "[tool.poetry]\nname = 'app'\n[tool.poetry.dependencies]\npython = '>=3.9'\nTorch = '^2'\n", "torch"},
		"poetry, optional":     {"", "[tool.poetry]\nname = 'app'\nkeywords = ['torch']\n[tool.poetry.dependencies]\ntorch = {version = '^2', optional = true}\n[tool.poetry.extras]\ngpu = ['torch']\n", ""},
		"poetry, extra":        {"extras: [gpu]", "[tool.poetry]\nname = 'app'\n[tool.poetry.dependencies]\ntorch = {version = '^2', optional = true}\n[tool.poetry.extras]\ngpu = ['torch']\n", "torch"},
		"poetry, other group":  {"", "[tool.poetry]\nname = 'app'\n[tool.poetry.dependencies]\nflask = '*'\n[tool.poetry.group.dev]\noptional = true\n[tool.poetry.group.dev.dependencies]\ntorch = '*'\n", ""},
		"other platform":       {"", project + "dependencies = ['torch ; sys_platform == \"win32\"', \"torchvision ; python_version < '3.9'\"]\n", ""},
		"this platform":        {"", project + "dependencies = ['torch ; sys_platform == \"linux\"']\n", "torch"},
	} {
		t.Run(name, func(t *testing.T) {
			r := projectOf(t, map[string]string{"pyproject.toml": c.toml, profiles.FileName: "python: {version: \"3.11\", project: ., " + c.yaml + "}\n"})
			if got := strings.Join(Named(r, []string{r.Platform}, ""), " "); got != c.want {
				t.Errorf("named: %q, want %q", got, c.want)
			}
		})
	}
}

// TestNamedOfFiles is the same for requirements files and the lists of the project file.
func TestNamedOfFiles(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, text string
		want       string
	}{
		"line":            {"", "Torch>=2 \\\n  --hash=sha256:" + strings.Repeat("0", 64) + "\n", ""},
		"pinned":          {"", "Torch==2 \\\n  --hash=sha256:" + strings.Repeat("0", 64) + "\n", "torch"},
		"comment":         {"", "flask # torch\n# torch\n  # torchvision \\\ntorchaudio\n", "torchaudio"},
		"options":         {"", "--no-binary torch\n--extra-index-url https://torch.example/torch\n-c torch.txt\nflask \\\n  --global-option \\\ntorch\n", ""},
		"URL":             {"", "https://torch.example/torch/x-1-py3-none-any.whl\nx @ https://torch.example/torch\ngit+https://h.example/torch.git\n", ""},
		"constraint":      {"", "flask\n-c torch.txt\n", ""},
		"marker":          {"", "torch ; sys_platform == 'win32'\nflask ; python_version > '3' and 'torch' in platform_version\n", ""},
		"of the platform": {"", "torch ; platform_machine == 'x86_64'\ntorchvision ; platform_machine == 'aarch64'\n", "torch"},
		"package":         {"packages: [\"torch [x] >= 2\"]", "flask\n", "torch"},
		"override":        {"overrides: [torch==2.9.1]", "flask\n", ""},
		"constraints":     {"constraints: [torch.txt]", "flask\n", ""},
	} {
		if name == "line" {
			continue // hashes without a version are a fault
		}
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"requirements.txt": c.text, "torch.txt": "torch<3\n", profiles.FileName: "python: {version: \"3.11\", requirements: [requirements.txt], " + c.yaml + "}\n"}
			if got := strings.Join(Named(projectOf(t, files), []string{"linux/amd64"}, ""), " "); got != c.want {
				t.Errorf("named: %q, want %q", got, c.want)
			}
		})
	}
}

// TestSSHOfProject: an SSH agent is wanted where something that is asked for comes by ssh, and nowhere else.
func TestSSHOfProject(t *testing.T) {
	const url = "git+ssh://git@git.example/x.git"
	tool := "[tool.uv.sources]\nx = { git = 'ssh://git@git.example/x.git' }\n"
	for name, c := range map[string]struct {
		files map[string]string
		yaml  string
		want  string
	}{
		"dependency":          {map[string]string{"pyproject.toml": project + "dependencies = ['x @ " + url + "']\n"}, "", "git.example"},
		"comment":             {map[string]string{"pyproject.toml": project + "dependencies = []\n# x @ " + url + "\n"}, "", ""},
		"URLs":                {map[string]string{"pyproject.toml": project + "urls = { Source = '" + url + "' }\n"}, "", ""},
		"other group":         {map[string]string{"pyproject.toml": project + "[dependency-groups]\ndev = ['x @ " + url + "']\n"}, "", ""},
		"group":               {map[string]string{"pyproject.toml": project + "[dependency-groups]\ndev = ['x @ " + url + "']\n"}, "groups: [dev]", "git.example"},
		"other extra":         {map[string]string{"pyproject.toml": project + "[project.optional-dependencies]\nx = ['x @ " + url + "']\n"}, "", ""},
		"source of uv":        {map[string]string{"pyproject.toml": project + "dependencies = ['X']\n" + tool}, "", "git.example"},
		"source, not asked":   {map[string]string{"pyproject.toml": project + "[dependency-groups]\ndev = ['x']\n" + tool}, "", ""},
		"poetry":              {map[string]string{"pyproject.toml": "[tool.poetry]\nname = 'app'\n[tool.poetry.dependencies]\nx = { git = 'git@git.example:team/x.git' }\n"}, "", "git.example"},
		"poetry, other":       {map[string]string{"pyproject.toml": "[tool.poetry]\nname = 'app'\n[tool.poetry.dependencies]\ny = '*'\n[tool.poetry.group.dev.dependencies]\nx = { git = 'git@git.example:team/x.git' }\n"}, "", ""},
		"file":                {map[string]string{"requirements.txt": "x @ " + url + "@v1#egg=x\n"}, "", "git.example"},
		"comment of a file":   {map[string]string{"requirements.txt": "flask # was " + url + "\n# x @ " + url + "\n"}, "", ""},
		"package of the tree": {map[string]string{"requirements.txt": "./lib\n", "lib/pyproject.toml": project + "dependencies = ['x @ " + url + "']\n"}, "", "git.example"},
		"its comment":         {map[string]string{"requirements.txt": "./lib\n", "lib/pyproject.toml": project + "# " + url + "\n[dependency-groups]\ndev = ['x @ " + url + "']\n"}, "", ""},
		"its setup.py":        {map[string]string{"requirements.txt": "./lib\n", "lib/setup.py": "setup(install_requires=['x @ " + url + "'])\n"}, "", "git.example"},
	} {
		t.Run(name, func(t *testing.T) {
			yaml := pinnedPython
			if c.files["requirements.txt"] == "" {
				yaml = "python: {version: \"3.11\", project: ., " + c.yaml + "}\n"
			}
			c.files[profiles.FileName] = yaml
			r := projectOf(t, c.files)
			if got := strings.Join(SSHServers(r), " "); got != c.want || UsesGit(r) != (c.want != "") {
				t.Errorf("servers %q, git %t; want %q", got, UsesGit(r), c.want)
			}
		})
	}
}

// TestMentioned: what limits a package does not ask for it.
func TestMentioned(t *testing.T) {
	files := map[string]string{
		"requirements.txt": "numpy<2 ; python_version < '3.9'\nnumpy>=1.26 ; python_version >= '3.9'\nscipy==3.0.*\npandas\n-c c.txt\n", "c.txt": "pandas<2\nattrs<20\n",
		profiles.FileName: "python: {version: \"3.11\", requirements: [requirements.txt], overrides: [click==8.0]}\n",
	}
	r := projectOf(t, files)
	if got := Mentioned(r); !slices.Equal(got, []string{"numpy", "pandas", "scipy"}) {
		t.Errorf("mentioned %q", got)
	}
}

// TestRenamesOfProject: a package is renamed where it is asked for, and nowhere else in the file.
func TestRenamesOfProject(t *testing.T) {
	const toml = "[project]\nname = 'app'\nversion = '1'\nkeywords = ['tensorflow']\ndependencies = [\n  \"tensorflow[and-cuda]>=2 ; python_version > \\\"3\\\"\", # 'tensorflow'\n]\n" +
		"optional-dependencies = { tf = [ 'TensorFlow' ] }\n[tool.x]\ny = ['tensorflow']\n"
	want := strings.Replace(toml, "tensorflow[and-cuda]", "tensorflow-cpu", 1)
	r := projectOf(t, map[string]string{"pyproject.toml": toml, profiles.FileName: "python: {version: \"3.11\", project: .}\n"})
	in := resolveInputs()
	def, err := Resolution(r, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range def.Def {
		if strings.Contains(string(op), "keywords") && !strings.Contains(string(op), want) {
			t.Errorf("uv reads\n%s", op)
		}
	}
}

func TestSSHServers(t *testing.T) {
	r := llbtest.Recipe()
	r.Requires.Packages = []string{"a @ git+ssh://git@git.example/a.git@main", "b @ git+ssh://[::1]:2222/b.git", "c @ git+https://web.example/c.git"}
	r.Requires.Files = []recipe.File{{Data: "d @ git+ssh://git@git.example:22/d.git\n"}}
	r.Requires.Project = &recipe.ProjectSource{Repos: []string{"ssh://me@other.example:7999/e.git", "ssh://git@third.example/team/f.git"}}
	r.Requires.Parse()
	if d := cmp.Diff([]string{"[::1]:2222", "[other.example]:7999", "git.example", "third.example"}, SSHServers(r)); d != "" {
		t.Errorf("servers (-want +got):\n%s", d)
	}
	r.Requires.UV = &recipe.UVLock{}
	if len(SSHServers(r)) != 0 || UsesGit(r) {
		t.Error("uv has nothing to ask where its own lock says all")
	}
}
