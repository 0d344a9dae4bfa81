package profiles

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestFaultsOfRequirements(t *testing.T) {
	runFaults(t, []faultCase{
		{"circle", map[string]string{"requirements.txt": "a\n-r b/c.txt\n", "b/c.txt": "# x\n\n--requirement=../requirements.txt\n"}, Selection{}, []string{
			"E-SPEC b/c.txt:3:1: circle: requirements.txt → b/c.txt → requirements.txt"}},
		{"missing include", map[string]string{"requirements.txt": "a\n-r more.txt\n-c limit.txt\n", "limits.txt": ""}, Selection{}, []string{
			"E-CONTEXT requirements.txt:2:1: the requirements file more.txt does not exist",
			"E-CONTEXT requirements.txt:3:1: the constraints file limit.txt does not exist | limits.txt"}},
		{"outside", map[string]string{"requirements.txt": "-r ../x.txt\n"}, Selection{}, []string{"E-CONTEXT requirements.txt:1:1: \"../x.txt\" is outside"}},
		{"absolute", map[string]string{"requirements.txt": "-r/etc/x.txt\n-c https://files.example/c.txt\n"}, Selection{}, []string{
			"E-CONTEXT requirements.txt:1:1: the path is absolute", "E-CONTEXT requirements.txt:2:1: is a URL"}},
		{"in pyproject", map[string]string{"none": "1", "pyproject.toml": "[project]\nname='x'\ndependencies = [\n  'a',\n  'b @ https://u:pw1234@files.example/b.whl',\n]\n[[tool.uv.index]]\nurl = 'https://u:pw1234@files.example/s'\n"}, Selection{}, []string{
			"E-SECRET-LEAK pyproject.toml:5:4: a URL here holds credentials", "E-SECRET-LEAK pyproject.toml:8:1: a URL here holds credentials"}},
		{"unsupported", map[string]string{"requirements.txt": "-e .\n./lib\nfile:///x.whl\nlib.whl\nx @ file:///y\nhg+https://hg.example/r\ny @ git+git://git.example/y\n-e git+https://git.example/z\n../up\n./empty\n--no-binary :all:\nz @ git+file:///z\n", "empty/x": ""}, Selection{}, []string{
			"E-SPEC requirements.txt:1:1: . is no Python package: it has neither pyproject.toml nor setup.py", "E-CONTEXT requirements.txt:2:1: the requirement lib does not exist",
			"E-SPEC requirements.txt:3:1: a file: URL (file:///x.whl) names a file of one machine", "E-CONTEXT requirements.txt:4:1: the requirement lib.whl does not exist",
			"E-SPEC requirements.txt:5:1: a file: URL (file:///y)", "E-SDIST requirements.txt:6:1: from hg cannot be built | wheel",
			"E-SPEC requirements.txt:7:1: cannot be reached by git:// | git+ssh",
			`E-CONTEXT requirements.txt:9:1: "../up" is outside`, "E-SPEC requirements.txt:10:1: empty is no Python package: it has neither pyproject.toml nor setup.py",
			"E-SPEC requirements.txt:11:1: would build every package | --no-binary name", "E-SPEC requirements.txt:12:1: repository of the local disk cannot be reached"}},
		{"no requirement", map[string]string{"requirements.txt": "flask 3\n=1\n"}, Selection{}, []string{
			"E-SPEC requirements.txt:1:1: \"flask 3\" is not a requirement", "E-SPEC requirements.txt:2:1: \"=1\" is not a requirement"}},
		{"indexes", yamlFile("python:\n  indexes:\n  - {name: a, url: ftp://x.example}\n  - {name: a, url: https://x.example/, default: true}\n  - {name: B, url: https://y.example/, default: true}\n  - {name: c}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:3:20: \"ftp://x.example\" is not an http", "E-SPEC mlbuild.yaml:4:12: two indexes are named \"a\"",
			"E-SPEC mlbuild.yaml:5:5: two indexes are marked default", "E-SPEC mlbuild.yaml:5:12: \"B\" cannot name an index", "E-SPEC mlbuild.yaml:6:5: an index needs a name and a url"}},
		{"toml", map[string]string{"none": "1", "pyproject.toml": "[project]\nname = \n"}, Selection{}, []string{
			"E-SPEC : nothing to build from", "E-SPEC pyproject.toml:2:8: TOML"}},
		{"extras", map[string]string{"none": "1", FileName: "python: {project: ., extras: [srve], groups: [dve]}\n",
			"pyproject.toml": "[project]\nname='x'\n[project.optional-dependencies]\nserve=[]\n[dependency-groups]\ndev=[]\n"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:31: no extra \"srve\" | did you mean \"serve\"?", "E-SPEC mlbuild.yaml:1:47: no dependency group \"dve\" | did you mean \"dev\"?"}},
		{"dynamic", map[string]string{"none": "1", "pyproject.toml": "[project]\nname='x'\ndynamic=['dependencies']\n"}, Selection{}, []string{
			"E-SPEC pyproject.toml: are dynamic | python.requirements"}},
		{"python", map[string]string{FileName: "python: {version: \"3.9\"}\n", "pyproject.toml": "[project]\nname='x'\nrequires-python='>=3.10'\n"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:19: Python 3.9 (mlbuild.yaml) is not what pyproject.toml asks for: requires-python \">=3.10\""}},
		{"python text", map[string]string{".python-version": "pypy3\n"}, Selection{}, []string{"E-SPEC .python-version:1:1: \"pypy3\" is not a Python version"}},
		{"free-threaded", yamlFile("python: {version: 3.13t}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:19: \"3.13t\" is not a Python version | free-threaded"}},
		{"requires-python", map[string]string{"pyproject.toml": "[project]\nname='x'\nrequires-python='<3'\n"}, Selection{}, []string{
			"E-SPEC pyproject.toml:3:18: no known Python satisfies requires-python \"<3\""}},
	})
}

func resolveMemory(t *testing.T, files memory, sel Selection) *recipe.Recipe {
	t.Helper()
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

// TestCooldown: the age is one for uv, and exceptions have reasons.
func TestCooldown(t *testing.T) {
	r := resolveMemory(t, memory{FileName: "python: {version: \"3.11\", packages: [idna], cooldown: 14d, cooldown_except: {Flask_X: hole}}\n", "main.py": ""}, Selection{})
	if q := r.Requires; q.Cooldown != "14 days" || !slices.Equal(q.Fresh, []string{"flask-x"}) || !slices.Contains(r.Notes, "Flask_X may be younger than 14 days: hole") {
		t.Errorf("%+v, notes %q", q, r.Notes)
	}
	if q := resolveMemory(t, memory{FileName: "python: {version: \"3.11\", packages: [idna], cooldown: \"2026-01-31\"}\n", "main.py": ""}, Selection{}).Requires; q.Cooldown != "2026-01-31" {
		t.Errorf("%+v", q)
	}
	runFaults(t, []faultCase{
		{"25 no time", yamlFile("python: {cooldown: soon}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:20: python.cooldown \"soon\" is neither | 7d"}},
		{"25 no reason", yamlFile("python: {cooldown: 7d, cooldown_except: {flask: \" \"}}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:42: flask from the cooldown has no reason | security fix"}},
		{"25 no cooldown", yamlFile("python: {cooldown_except: {flask: x}}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:28: no python.cooldown to except flask from"}},
	})
}

func TestPythonVersion(t *testing.T) {
	for _, c := range []struct {
		files         memory
		version, from string
	}{
		{memory{}, "3.11", "default"},
		{memory{".python-version": "3.12.4\n"}, "3.12", ".python-version"},
		{memory{".python-version": "3.12\n", FileName: "python: {version: 3.10}\n"}, "3.10", "mlbuild.yaml"},
		{memory{"pyproject.toml": "[project]\nname='x'\nrequires-python='>=3.9'\n"}, "3.11", "requires-python"},
		{memory{"pyproject.toml": "[project]\nname='x'\nrequires-python='>=3.12,<4'\n"}, "3.12", "requires-python"},
		{memory{"pyproject.toml": "[project]\nname='x'\nrequires-python='==3.10.*'\n"}, "3.10", "requires-python"},
		{memory{"pyproject.toml": "[project]\nname='x'\nrequires-python='>=3.11.4'\n"}, "3.11", "requires-python"},
		{memory{"pyproject.toml": "[project]\nname='x'\nrequires-python='~=3.9'\n"}, "3.11", "requires-python"},
	} {
		c.files["requirements.txt"] = "flask\n"
		r := resolveMemory(t, c.files, Selection{})
		if got := r.Python; got.Version != c.version || got.From != c.from {
			t.Errorf("%v: got %v, want %s from %s", c.files, got, c.version, c.from)
		}
		if want := "docker.io/library/python:" + c.version + "-slim"; r.Base.Ref != want {
			t.Errorf("%v: the base is %s, want %s", c.files, r.Base.Ref, want)
		}
	}
}

func TestRename(t *testing.T) {
	for _, c := range []struct {
		requirements, accelerator, platform string
		want                                map[string]string
	}{
		{"tensorflow[and-cuda]==2.19\n", "none", "", map[string]string{"tensorflow": "tensorflow-cpu"}},
		{"tensorflow\n", "none", "linux/arm64", nil},
		{"tensorflow-gpu\nonnxruntime-gpu\njax[cuda12]\n", "none", "", map[string]string{"tensorflow-gpu": "tensorflow-cpu", "onnxruntime-gpu": "onnxruntime", "jax": "jax"}},
		{"tensorflow-cpu\nonnxruntime\njax\n", "cuda", "", map[string]string{"tensorflow-cpu": "tensorflow[and-cuda]", "onnxruntime": "onnxruntime-gpu[cuda,cudnn]", "jax": "jax[cuda12]"}},
		{"jax\n", "{cuda: \"13.0\"}", "", map[string]string{"jax": "jax[cuda13]"}},
		{"jax[cuda13]\nonnxruntime-gpu[cuda,cudnn]\n", "cuda", "", nil},
		{"onnxruntime-gpu\ntensorflow-cpu\n", "none", "", map[string]string{"onnxruntime-gpu": "onnxruntime"}},
	} {
		files := memory{FileName: "profiles: {p: {accelerator: " + c.accelerator + "}}\n", "requirements.txt": c.requirements}
		r := resolveMemory(t, files, Selection{Profile: "p", Platform: c.platform})
		if diff := cmp.Diff(c.want, r.Requires.Rename); diff != "" {
			t.Errorf("%s on %s: %s", c.requirements, c.accelerator, diff)
		}
	}
}

// TestInputs: the hash changes with what changes the packages and with nothing else.
func TestInputs(t *testing.T) {
	files := func(yaml string) memory {
		return memory{FileName: yaml, "requirements.txt": "flask\n", "main.py": ""}
	}
	base := resolveMemory(t, files("name: a\n"), Selection{}).Requires.Inputs
	for _, same := range []string{"name: b\n", "app: {env: {A: b}}\n", "base: python:3.11-slim-bookworm\n", "profiles: {cpu: {suffix: x}}\n"} {
		if got := resolveMemory(t, files(same), Selection{Platform: "linux/arm64"}).Requires.Inputs; got != base {
			t.Errorf("%q changes the hash of the inputs", same)
		}
	}
	for _, other := range []string{"python: {version: \"3.12\"}\n", "python: {packages: [x], requirements: [requirements.txt]}\n", "profiles: {cpu: {accelerator: cuda}}\n", "base: {glibc: \"2.28\"}\n"} {
		if got := resolveMemory(t, files(other), Selection{}).Requires.Inputs; got == base || len(got) != 64 {
			t.Errorf("%q gives the hash %q, want another than %q", other, got, base)
		}
	}
}

func TestLoadOfAMissingFile(t *testing.T) {
	_, err := Load(memory{}.fs(), "other.yaml")
	checkFaults(t, fault.All(err), []string{"E-SPEC other.yaml: cannot be read | -f"})
}

// TestTorchOfTheProject: an index that the project binds torch to is the one that counts.
func TestTorchOfTheProject(t *testing.T) {
	files := memory{"requirements.txt": "torch\n", FileName: "python: {indexes: [{name: own, url: https://files.example/, packages: [Torch]}]}\n"}
	r := resolveMemory(t, files, Selection{})
	if r.Requires.Torch != "own" || len(r.Requires.Indexes) != 1 {
		t.Errorf("torch is bound to %q of %v", r.Requires.Torch, r.Requires.Indexes)
	}
}
