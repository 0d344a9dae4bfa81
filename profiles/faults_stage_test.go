package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestFaultsOfStages(t *testing.T) {
	with := func(yaml string, more map[string]string) map[string]string {
		files := yamlFile(yaml)
		files["tests/test_a.py"] = ""
		for name, data := range more {
			files[name] = data
		}
		return files
	}
	const groups = "[dependency-groups]\ntest = ['pytest']\n"
	runFaults(t, []faultCase{
		{"unknown key", with("testing: {reqirements: [x.txt]}\ndev: {comand: [sh]}\n", nil), Selection{}, []string{
			`E-SPEC mlbuild.yaml:1:11: unknown key "reqirements" in testing | did you mean "requirements"?`,
			`E-SPEC mlbuild.yaml:2:7: unknown key "comand" in dev | did you mean "command"?`}},
		{"commands", with("testing: {command: pytest -q}\n", nil), Selection{}, []string{"E-SPEC mlbuild.yaml:1:20: testing.command must be a list of words"}},
		{"a command of commands", with("testing: {command: [[pytest], ruff]}\n", nil), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:31: an item of testing.command must be a list of words"}},
		{"no command", with("testing: {command: []}\n", nil), Selection{}, []string{"E-SPEC mlbuild.yaml:1:10: a command of testing has no words"}},
		{"network", with("testing: {network: sometimes}\n", nil), Selection{}, []string{"E-SPEC mlbuild.yaml:1:20: testing.network must be true or false"}},
		{"reports", with("testing: {reports: [/tmp/x.xml, ../x, \"[\", \".\"]}\n", nil), Selection{}, []string{
			`E-SPEC mlbuild.yaml:1:21: the report "/tmp/x.xml" is no path below the working directory | junit.xml`, `E-SPEC mlbuild.yaml:1:33: the report "../x"`,
			`E-SPEC mlbuild.yaml:1:39: the report "[" is not a valid pattern`, `E-SPEC mlbuild.yaml:1:44: the report "."`}},
		{"no such file", with("testing: {copy: [test]}\ndev: {requirements: [dev.txt]}\n", nil), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:1:18: the file test does not exist | \"tests\"", "E-CONTEXT mlbuild.yaml:2:22: the requirements file dev.txt does not exist"}},
		{"nothing to test", yamlFile("testing: {}\n"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:1:10: there are no tests: no tests/, no test_*.py | testing.copy"}},
		{"nothing to test without a file", map[string]string{"requirements.txt": "", "main.py": ""}, Selection{Target: "testing"}, []string{"E-CONTEXT : there are no tests"}},
		{"groups without a file", with("testing: {groups: [test]}\n", nil), Selection{}, []string{"E-SPEC mlbuild.yaml:1:20: testing.groups needs a pyproject.toml"}},
		{"unknown group", with("dev: {groups: [tset]}\n", map[string]string{"pyproject.toml": groups}), Selection{}, []string{`E-SPEC mlbuild.yaml:1:16: pyproject.toml has no dependency group "tset" | "test"`}},
		{"extras without the project", with("testing: {extras: [test]}\n", map[string]string{"pyproject.toml": groups}), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:20: testing.extras needs python.project | project: ."}},
		{"editable", with("testing: {packages: [-e .]}\n", nil), Selection{}, []string{"E-SPEC mlbuild.yaml:1:22: an editable install"}},
		{"an index of the stage", with("dev: {requirements: [dev.txt]}\n", map[string]string{"dev.txt": "--extra-index-url https://pypi.example/simple\nx\n"}), Selection{}, []string{
			"E-SPEC dev.txt:1:1: --extra-index-url names an index for the stage dev that the project does not have | python: {indexes"}},
		{"system", with("system: {build: [gcc=1]}\ndev: {system: [Vim, gcc=2], shell: bash, ports: [http]}\n", nil), Selection{}, []string{
			`E-SPEC mlbuild.yaml:2:16: "Vim" is not the name of a Debian package`, "E-SPEC mlbuild.yaml:2:21: gcc is asked for in two versions, 1 and 2",
			`E-SPEC mlbuild.yaml:2:36: dev.shell "bash" is not absolute`, `E-SPEC mlbuild.yaml:2:50: "http" is not a port`}},
		{"secrets", with("testing: {env: {API_KEY: none, TOKEN: ghp_"+strings.Repeat("a", 36)+"}}\ndev: {env: {API_KEY: none}}\n", nil), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:1:39: the environment variable TOKEN holds a GitHub token", "E-SECRET-LEAK mlbuild.yaml:2:13: the environment variable API_KEY has the name of a secret"}},
	})
}

// stagesOf resolves files for a target.
func stagesOf(t *testing.T, target recipe.Stage, files map[string]string) *recipe.Recipe {
	t.Helper()
	r, err := resolveDir(project(t, files), Selection{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStagesWithoutKeys: tests and what they need are where most projects have them, and nothing is decided before it is asked for.
func TestStagesWithoutKeys(t *testing.T) {
	files := map[string]string{
		"requirements.txt": "numpy\n", "main.py": "", "tests/test_main.py": "", "conftest.py": "", "requirements-test.txt": "-r requirements.txt\nhypothesis\n",
		"pyproject.toml": "[tool.pytest.ini_options]\n", "test_speed.py": "", "README.md": "",
	}
	if r := stagesOf(t, "", files); r.Testing != nil || r.Dev != nil {
		t.Errorf("testing %+v, dev %+v", r.Testing, r.Dev)
	}
	r := stagesOf(t, "testing", files)
	var copied []string
	for _, rule := range r.Testing.Copy {
		copied = append(copied, rule.Files...)
	}
	if d := cmp.Diff([]string{"conftest.py", "pyproject.toml", "test_speed.py", "tests"}, copied); d != "" {
		t.Errorf("copied (-want +got):\n%s", d)
	}
	q := r.Testing.Requires
	if len(q.Files) != 2 || !q.Files[0].Top || q.Files[0].Path != "requirements-test.txt" || q.Files[1].Top || !slices.Equal(q.Packages, []string{"pytest"}) {
		t.Errorf("requirements %+v", q)
	}
	if !slices.Equal(r.Testing.Commands[0], testCommand) || !slices.Equal(r.Testing.Reports, []string{"junit.xml"}) || r.Testing.Network {
		t.Errorf("testing %+v", r.Testing)
	}
	if !slices.Contains(r.Notes, "testing.requirements is not given: requirements-test.txt is used") {
		t.Errorf("notes %q", r.Notes)
	}
	if r.Requires.Inputs != stagesOf(t, "", files).Requires.Inputs {
		t.Error("the tests make the runtime's lock stale")
	}
	if d := stagesOf(t, "dev", files).Dev; len(d.Requires.Files) != 0 || !slices.Equal(d.Command, []string{"/bin/bash"}) {
		t.Errorf("dev %+v", d)
	}
}

// TestStageInputs: a stage's lock is stale when its own requirements change, and when the runtime's do.
func TestStageInputs(t *testing.T) {
	inputs := func(yaml string) string {
		return stagesOf(t, "", map[string]string{FileName: yaml, "tests/test_a.py": ""}).Testing.Requires.Inputs
	}
	one := inputs("python: {packages: [numpy]}\ntesting: {packages: [pytest]}\n")
	for what, yaml := range map[string]string{
		"the stage's":   "python: {packages: [numpy]}\ntesting: {packages: [pytest>=8]}\n",
		"the runtime's": "python: {packages: [numpy>2]}\ntesting: {packages: [pytest]}\n",
	} {
		if inputs(yaml) == one {
			t.Errorf("other requirements of %s change nothing", what)
		}
	}
	if inputs("python: {packages: [numpy]}\ntesting: {packages: [pytest], env: {A: b}, command: [pytest]}\n") != one {
		t.Error("what is run makes the lock stale")
	}
}

// TestWith: the runtime's requirements and the stage's, each file once, under the accelerator's names.
func TestWith(t *testing.T) {
	files := map[string]string{
		FileName:               "python: {project: ., requirements: [requirements.txt], extras: [serve]}\ntesting: {requirements: [requirements-dev.txt], extras: [check], groups: [test], packages: [tensorflow]}\n",
		"requirements.txt":     "onnxruntime\n",
		"requirements-dev.txt": "-r requirements.txt\npytest\n", "main.py": "", "tests/test_a.py": "",
		"pyproject.toml": "[project]\nname='x'\nversion='1'\n[project.optional-dependencies]\nserve=['flask']\ncheck=['mypy']\n[dependency-groups]\ntest=['pytest']\n",
	}
	gpu, err := resolveDir(project(t, files), Selection{Profile: "gpu"})
	if err != nil {
		t.Fatal(err)
	}
	runtime := gpu.Requires
	q := gpu.With(gpu.Testing.Requires).Requires
	var paths []string
	for _, f := range q.Files {
		paths = append(paths, f.Path)
	}
	if d := cmp.Diff([]string{"requirements.txt", "requirements-dev.txt"}, paths); d != "" || !q.Files[0].Top {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if p := q.Project; !slices.Equal(p.Extras, []string{"check", "serve"}) || !slices.Equal(p.Groups, []string{"test"}) {
		t.Errorf("project %+v", p)
	}
	if q.Rename["tensorflow"] != "tensorflow[and-cuda]" || q.Rename["onnxruntime"] == "" || runtime.Rename["tensorflow"] != "" {
		t.Errorf("names %v, of the runtime %v", q.Rename, runtime.Rename)
	}
	if q.Lock != "pylock.gpu_testing.toml" || q.Inputs != gpu.Testing.Requires.Inputs {
		t.Errorf("lock %s for %s", q.Lock, q.Inputs)
	}
	if d := cmp.Diff(runtime, gpu.Requires); d != "" || len(runtime.Project.Extras) != 1 {
		t.Errorf("the runtime's own requirements changed:\n%s", d)
	}
}

// TestTrainIsTheirs: a file's own profile of the name that extends another one is not the built-in one.
func TestTrainIsTheirs(t *testing.T) {
	r, err := resolveDir(project(t, map[string]string{
		FileName: "profiles:\n  train: {extends: cpu}\n", "requirements.txt": "torch\nhorovod\n", "train.py": "",
	}), Selection{Profile: "train"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Accelerator.Kind != recipe.NoAccelerator || len(r.System) > 0 || slices.Contains(r.App.Command, "torchrun") {
		t.Errorf("%+v, system %q, command %q", r.Accelerator, r.System, r.App.Command)
	}
}
