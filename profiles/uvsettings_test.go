package profiles

import (
	"strings"
	"testing"
)

// TestUVSettingsAreTold: what uv does not read, and what has no effect here, is told by name.
func TestUVSettingsAreTold(t *testing.T) {
	member := memberFiles("python: {lock: none}\n")
	member["services/api/pyproject.toml"] += "[tool.uv]\noverride-dependencies = [\"flask==1\"]\nprerelease = \"allow\"\n[[tool.uv.index]]\nname = \"x\"\nurl = \"https://x.example/simple\"\nexplicit = true\n"
	member["pyproject.toml"] = "[tool.uv]\nfork-strategy = \"fewest\"\n" + member["pyproject.toml"]
	beside := map[string]string{
		"main.py": "", "requirements.txt": "flask\n", "uv.toml": "no-build = true\nno-sources = true\n[pip]\nno-deps = true\nno-header = true\nno-binary = [\":all:\"]\n",
		"pyproject.toml": "[tool.uv]\nprerelease = \"allow\"\npackage = false\n",
	}
	project := map[string]string{
		"main.py": "", "pyproject.toml": "[project]\nname = \"a\"\nversion = \"1\"\n[tool.uv.pip]\nno-deps = true\n", "requirements.txt": "flask\n", FileName: "python: {project: .}\n",
	}
	for _, c := range []struct {
		files     map[string]string
		dir       string
		want, not []string
	}{
		{member, "services/api", []string{
			"override-dependencies, prerelease of [tool.uv] in pyproject.toml has no effect, with uv neither: the settings of the workspace count, in ../../pyproject.toml",
			"fork-strategy of [tool.uv] in ../../pyproject.toml has no effect here",
		}, []string{"index", "sources"}},
		{beside, ".", []string{
			"prerelease of [tool.uv] in pyproject.toml has no effect, with uv neither: uv.toml counts in its place",
			"no-sources of uv.toml has no effect here", "pip.no-deps of uv.toml has no effect here: python.no_deps names the packages", "pip.no-binary of uv.toml",
		}, []string{"no-header"}},
		{project, ".", []string{"the table pip of [tool.uv] in pyproject.toml has no effect here: uv reads it where requirements files are installed"}, nil},
	} {
		r, err := below(t, c.files, c.dir).Resolve(Selection{})
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(r.Notes, "\n")
		for _, want := range c.want {
			if !strings.Contains(notes, want) {
				t.Errorf("no note %q in:\n%s", want, notes)
			}
		}
		for _, not := range c.not {
			if strings.Contains(notes, not) {
				t.Errorf("a note of %s in:\n%s", not, notes)
			}
		}
	}
}

// TestUVSettingsOfBuilds: what [tool.uv] of the workspace's root says of builds counts for a member, and that of [tool.uv.pip] for requirements files.
func TestUVSettingsOfBuilds(t *testing.T) {
	member := memberFiles("")
	member["pyproject.toml"] = "[tool.uv]\nno-binary-package = [\"flask\"]\nbuild-constraint-dependencies = [\"wheel<1\"]\n" + member["pyproject.toml"]
	member["services/api/pyproject.toml"] += "[tool.uv]\nno-binary-package = [\"numpy\"]\n"
	pip := map[string]string{"main.py": "", "requirements.txt": "flask\n", "pyproject.toml": "[tool.uv]\nbuild-constraint-dependencies = [\"wheel<1\"]\n[tool.uv.pip]\nno-binary = [\"Flask\"]\nextra-index-url = [\"https://download.pytorch.org/whl/cu126\"]\n"}
	for name, p := range map[string]*Project{"member": below(t, member, "services/api"), "pip": below(t, pip, ".")} {
		r, err := p.Resolve(Selection{Profile: "gpu"})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Requires.Source, " "); got != "flask" {
			t.Errorf("%s: built from source: %s", name, got)
		}
		if len(r.Builder.Constraints) != 1 || r.Builder.Constraints[0].Data != "wheel<1\n" || strings.Contains(r.Builder.Constraints[0].Path, "..") {
			t.Errorf("%s: %+v", name, r.Builder.Constraints)
		}
		if name == "pip" && r.Accelerator.CUDA != "12.6" {
			t.Errorf("the index of PyTorch decides about no CUDA: %+v", r.Accelerator)
		}
	}
}

// TestUVRefuses: what uv refuses to install is refused.
func TestUVRefuses(t *testing.T) {
	const project = "[project]\nname = \"a\"\nversion = \"1\"\n[project.optional-dependencies]\ncpu = [\"six\"]\nCUDA = [\"idna\"]\n[dependency-groups]\ndev = [\"six\"]\n[tool.uv]\n"
	for _, c := range []struct{ yaml, tool, want string }{
		{"extras: [cpu, cuda]", "conflicts = [[{extra = \"cpu\"}, {extra = \"cuda\"}, {group = \"dev\"}]]\n", "extra cpu and extra cuda of pyproject.toml are declared to conflict"},
		{"extras: [cpu], groups: [dev]", "conflicts = [[{extra = \"cpu\"}, {extra = \"cuda\"}], [{extra = \"cpu\"}, {group = \"dev\"}]]\n", "E-RESOLVE: pyproject.toml:10:1: extra cpu and group dev"},
		{"extras: [cpu]", "conflicts = [[{extra = \"cpu\"}, {extra = \"cuda\"}]]\n", ""},
		{"extras: [cpu, cuda]", "conflicts = [[{package = \"other\", extra = \"cpu\"}, {extra = \"cuda\"}]]\n", ""},
		{"extras: []", "environments = [\"sys_platform == 'darwin'\", \"sys_platform == 'win32'\"]\n", "environments of [tool.uv] in pyproject.toml leave out this image: Python 3.11 on linux/amd64"},
		{"extras: []", "environments = [\"sys_platform == 'darwin'\", \"sys_platform == 'linux' and python_full_version >= '3.11.4'\"]\n", ""},
	} {
		files := map[string]string{"main.py": "", "pyproject.toml": project + c.tool, FileName: "python: {version: \"3.11\", project: ., " + c.yaml + "}\n"}
		_, err := below(t, files, ".").Resolve(Selection{Platform: "linux/amd64"})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.tool, err)
		}
	}
	files := map[string]string{"main.py": "", "requirements.txt": "six\n", "uv.toml": "prerelease = allow\n"}
	if _, err := below(t, files, ".").Resolve(Selection{}); err == nil || !strings.Contains(err.Error(), "uv.toml:1:") {
		t.Errorf("a uv.toml that is no TOML: %v", err)
	}
}
