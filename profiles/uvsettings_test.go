package profiles

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
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

// TestSettingsAboveAreTold: uv obeys the next settings upwards, above the project too; mlbuild does not, and says which they are.
func TestSettingsAboveAreTold(t *testing.T) {
	const project = "[project]\nname = \"api\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"flask\"]\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // "" = no note
	}{
		{"uv.toml", map[string]string{"uv.toml": "exclude-newer = \"2024-01-01\"\nindex-url = \"https://a.example\"\ncache-dir = \"x\"\n"}, "exclude-newer, index-url of ../../uv.toml has no effect here"},
		{"tool.uv", map[string]string{"services/pyproject.toml": "[tool.uv]\nresolution = \"lowest\"\n"}, "resolution of [tool.uv] in ../pyproject.toml has no effect here"},
		{"uv.toml before tool.uv", map[string]string{"uv.toml": "no-build = true\n", "pyproject.toml": "[tool.uv]\nresolution = \"lowest\"\n"}, "no-build of ../../uv.toml"},
		{"the next one alone", map[string]string{"services/uv.toml": "cache-dir = \"x\"\n", "uv.toml": "no-build = true\n"}, ""},
		{"one without settings is passed by", map[string]string{"services/pyproject.toml": "[tool.ruff]\n", "uv.toml": "no-build = true\n"}, "no-build of ../../uv.toml"},
		{"what chooses nothing", map[string]string{"uv.toml": "link-mode = \"copy\"\n"}, ""},
		{"limits of another project", map[string]string{"pyproject.toml": "[tool.uv]\nconstraint-dependencies = [\"flask<2\"]\n"}, ""},
		{"the project has its own", map[string]string{"uv.toml": "no-build = true\n", "services/api/uv.toml": "no-sources = false\n"}, ""},
		{"requirements", map[string]string{"uv.toml": "[pip]\nno-deps = true\n", "services/api/requirements.txt": "flask\n", "services/api/mlbuild.yaml": "python: {requirements: [requirements.txt]}\n"}, "pip of ../../uv.toml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.files["services/api/pyproject.toml"], c.files["services/api/main.py"] = project, ""
			r, err := below(t, c.files, "services/api").Resolve(Selection{})
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(r.Notes, "\n")
			if told := strings.Contains(notes, "lies above the project"); told != (c.want != "") || !strings.Contains(notes, c.want) {
				t.Errorf("want %q in the notes\n%s", c.want, notes)
			}
		})
	}
}

// TestPackagesBesideTheProject: a package whose directory lies beside the project's is refused, with the lines that make it work.
func TestPackagesBesideTheProject(t *testing.T) {
	const head = "[project]\nname = \"api\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"lib\"]\n"
	for _, c := range []struct{ name, file, text string }{
		{"uv's sources", "pyproject.toml", head + "[tool.uv.sources]\nlib = {path = \"../../lib\", editable = true}\n"},
		{"Poetry", "pyproject.toml", "[tool.poetry]\nname = \"api\"\nversion = \"1\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\nlib = {path = \"../../lib\", develop = true}\n"},
		{"Poetry beside [project]", "pyproject.toml", head + "[tool.poetry.dependencies]\nlib = {path = \"../../lib\"}\n"},
		{"-e", "requirements.txt", "-e ../../lib\n"},
		{"a path", "requirements.txt", "../../lib[fast]\n"},
		{"a name and a path", "requirements.txt", "lib @ ../../lib\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"services/api/" + c.file: c.text, "services/api/main.py": "", "lib/pyproject.toml": "[project]\nname = \"lib\"\nversion = \"1\"\n", "lib/lib.py": ""}
			_, err := below(t, files, "services/api").Resolve(Selection{})
			if err == nil {
				t.Fatal("it is taken")
			}
			said := err.Error()
			for _, f := range fault.All(err) {
				said += "\n" + strings.Join(f.Hints, "\n")
			}
			if !strings.Contains(said, "is outside the project") || !strings.Contains(said, "cd ../.. && mlbuild build --file services/api/mlbuild.yaml") || !strings.Contains(said, "./lib") {
				t.Errorf("it says:\n%s", said)
			}
			if workspace := strings.Contains(said, "members = [\"services/api\"]"); workspace != (c.file == "pyproject.toml") {
				t.Errorf("it says:\n%s", said)
			}
		})
	}
}
