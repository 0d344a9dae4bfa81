package profiles

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestIndexesOfFiles(t *testing.T) {
	files := memory{"requirements.txt": "flask\n--extra-index-url https://b.example/simple/\n--extra-index-url https://b.example/other\n--extra-index-url https://${USER}:${PASS}@own.example/s\n-i https://main.example/s\n",
		FileName: "python: {indexes: [{name: own, url: \"https://own.example/s/\", secret: id}], find_links: [https://l.example/p], index_strategy: unsafe-best-match}\n"}
	r := resolveMemory(t, files, Selection{Profile: "gpu"})
	want := []recipe.Index{{Name: "own", URL: "https://own.example/s/", Secret: "id"}, {Name: "b-example", URL: "https://b.example/simple/"},
		{Name: "b-example-2", URL: "https://b.example/other"}, {Name: "main-example", URL: "https://main.example/s", Default: true}}
	if d := cmp.Diff(want, r.Requires.Indexes); d != "" {
		t.Error(d)
	}
	if r.Requires.Strategy != "unsafe-best-match" || !slices.Equal(r.Requires.FindLinks, []string{"https://l.example/p"}) || strings.Contains(r.Requires.Files[0].Data, "example") {
		t.Errorf("recipe: %+v", r.Requires)
	}
}

// TestTorchLine: an index of PyTorch in a file says where the family comes from, and the profile which build it is.
func TestTorchLine(t *testing.T) {
	for _, c := range []struct {
		requirements, yaml, profile string
		torch, url, cuda, note      string
	}{
		{"--extra-index-url https://m.example/whl/cu126\ntorch\n", "", "cpu", "pytorch-cpu", "https://m.example/whl/cpu", "", "not from cu126 (requirements.txt:1:1)"},
		{"--extra-index-url https://m.example/whl/cu126\ntorch\n", "", "gpu", "pytorch-cu126", "https://m.example/whl/cu126", "12.6", "CUDA 12.6 is taken from the index in requirements.txt:1:1"},
		{"--index-url https://m.example/whl/nightly/cu128/\ntorch\n", "", "gpu", "pytorch-cu128", "https://m.example/whl/nightly/cu128", "12.8", "CUDA 12.8"},
		{"--extra-index-url https://m.example/whl/cpu\ntorch\n", "", "cpu", "pytorch-cpu", "https://m.example/whl/cpu", "", ""},
		{"--extra-index-url https://m.example/whl/cpu\ntorch\n", "", "gpu", "", "", "", "takes torch from the default index"},
		{"--extra-index-url https://m.example/whl/cu126\ntorch\n", "profiles: {gpu: {accelerator: {cuda: \"12.8\"}}}\n", "gpu", "pytorch-cu128", "https://m.example/whl/cu128", "12.8", "not from cu126"},
		{"--extra-index-url https://m.example/whl/cu126\ntorch\n", "pytorch_index: https://own.example/t\n", "gpu", "pytorch-cu126", "https://own.example/t/cu126", "12.6", "CUDA 12.6"},
		{"torch==2.9.1+cu126\n", "", "gpu", "pytorch-cu126", "https://download.pytorch.org/whl/cu126", "12.6", "CUDA 12.6 is taken from torch==2.9.1+cu126 in requirements.txt:1:1"},
		{"torch==2.9.1\n", "", "gpu", "", "", "", ""},
		{"torch\n", "profiles: {rocm: {accelerator: {rocm: \"6.4\"}}}\n", "rocm", "pytorch-rocm6.4", "https://download.pytorch.org/whl/rocm6.4", "", ""},
		{"torch\n", "pytorch_index: https://own.example/t\nprofiles: {xpu: {accelerator: xpu}}\n", "xpu", "pytorch-xpu", "https://own.example/t/xpu", "", ""},
		{"--index-url https://m.example/whl/rocm6.4\ntorch\n", "profiles: {amd: {accelerator: rocm}}\n", "amd", "pytorch-rocm6.4", "https://m.example/whl/rocm6.4", "", "ROCm 6.4 is taken from the index in requirements.txt:1:1"},
		{"--index-url https://m.example/whl/rocm6.4\ntorch\n", "", "cpu", "pytorch-cpu", "https://m.example/whl/cpu", "", "not from rocm6.4 (requirements.txt:1:1)"},
		{"--index-url https://m.example/whl/xpu\ntorch\n", "", "gpu", "", "", "", "takes torch from the default index"},
		{"torch==2.9.1+rocm6.4\n", "profiles: {amd: {accelerator: rocm}}\n", "amd", "pytorch-rocm6.4", "https://download.pytorch.org/whl/rocm6.4", "", "ROCm 6.4 is taken from torch==2.9.1+rocm6.4 in requirements.txt:1:1"},
	} {
		r := resolveMemory(t, memory{"requirements.txt": c.requirements, FileName: c.yaml + "python: {version: \"3.11\"}\n", "main.py": ""}, Selection{Profile: c.profile})
		url := ""
		for _, ix := range r.Requires.Indexes {
			url = ix.URL
		}
		if r.Requires.Torch != c.torch || url != c.url || r.Accelerator.CUDA != c.cuda {
			t.Errorf("%q in %s: torch %q from %q for CUDA %q", c.requirements, c.profile, r.Requires.Torch, url, r.Accelerator.CUDA)
		}
		notes := strings.Join(r.Notes, "\n")
		if c.note != "" && !strings.Contains(notes, c.note) {
			t.Errorf("%q in %s: no note says %q:\n%s", c.requirements, c.profile, c.note, notes)
		}
	}
}

func TestFaultsOfInputs(t *testing.T) {
	runFaults(t, []faultCase{
		{"rocm without a version", map[string]string{"requirements.txt": "torch\n", FileName: "profiles: {amd: {accelerator: rocm}}\n"}, Selection{Profile: "amd"}, []string{
			"E-SPEC mlbuild.yaml:1:31: \"\" is not a ROCm version | accelerator: {rocm: \"6.4\"}"}},
		{"rocm of another", map[string]string{"requirements.txt": "", FileName: "profiles: {amd: {accelerator: {kind: xpu, rocm: \"6.4\"}}}\n"}, Selection{Profile: "amd"}, []string{
			"E-SPEC mlbuild.yaml:1:38: the accelerator xpu has no rocm"}},
		{"cuda of rocm", map[string]string{"requirements.txt": "", FileName: "profiles: {amd: {accelerator: {kind: rocm, cuda: \"12.6\"}}}\n"}, Selection{Profile: "amd"}, []string{
			"E-SPEC mlbuild.yaml:1:38: the accelerator rocm has no cuda and no min_driver"}},
		{"a pin of another accelerator", map[string]string{"requirements.txt": "torch==2.9.1+cu126\n", FileName: "profiles: {amd: {accelerator: {rocm: \"6.4\"}}}\n"}, Selection{Profile: "amd"}, []string{
			"E-VARIANT requirements.txt:1:1: torch is pinned to the build 2.9.1+cu126, the profile amd takes the build rocm6.4 | Write torch==2.9.1"}},
		{"a pin of ROCm for CPU", map[string]string{"requirements.txt": "torch==2.9.1+rocm6.4\n"}, Selection{}, []string{
			"E-VARIANT requirements.txt:1:1: torch is pinned to the build 2.9.1+rocm6.4, the profile cpu takes the build cpu | Write torch==2.9.1"}},
		{"environment", map[string]string{"requirements.txt": "--extra-index-url https://${USER}:${PASS}@own.example/s\n"}, Selection{}, []string{
			"E-SPEC requirements.txt:1:1: --extra-index-url wants credentials from the environment | url: \"https://own.example/s\", secret: id"}},
		{"local links", map[string]string{"requirements.txt": "--find-links ./wheels\n"}, Selection{}, []string{"E-CONTEXT requirements.txt:1:1: the directory of wheels wheels does not exist"}},
		{"two defaults", map[string]string{"requirements.txt": "-i https://a.example/s\n", FileName: "python: {indexes: [{name: b, url: https://b.example/s, default: true}]}\n"}, Selection{}, []string{
			"E-SPEC requirements.txt:1:1: --index-url names a second default index, beside https://b.example/s | --extra-index-url"}},
		{"strategy", yamlFile("python: {index_strategy: best-match}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:26: the index strategy \"best-match\" does not exist | unsafe-best-match"}},
		{"weak hashes", map[string]string{"requirements.txt": "a==1 --hash=md5:00\nb>=1 --hash=sha256:" + strings.Repeat("0", 64) + "\n"}, Selection{}, []string{
			"E-LOCK-HASH requirements.txt:1:1: a has hashes and none of them is a sha256 | pip-compile", "E-SPEC requirements.txt:2:1: b has hashes and no version | pin it"}},
		{"then", yamlFile("python: {then: {a: b}}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: python.then must be a list"}},
		{"step", yamlFile("python: {then: [-e ., {requirement: [x]}]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:24: unknown key \"requirement\" in python.then"}},
	})
}

// TestReplaced: the last of several groups counts, names without a version count for nothing, and overrides are not asked for.
func TestReplaced(t *testing.T) {
	files := memory{"requirements.txt": "numpy==1\n", "b.txt": "Numpy[x]==3 ; python_version>'3'\nnumpy==2 ; python_version<'3'\nflask\ntorch @ https://files.example/t.whl\n",
		FileName: "python: {requirements: [requirements.txt], then: [numpy==2, {requirements: [b.txt], packages: [click<9]}, pandas], overrides: [click==8.0, six]}\n"}
	r := resolveMemory(t, files, Selection{})
	want := []string{"numpy[x]==3 ; python_version>'3'", "numpy==2 ; python_version<'3'", "torch @ https://files.example/t.whl", "click==8.0", "six"}
	if d := cmp.Diff(want, r.Requires.Overrides); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"numpy==2", "click<9", "pandas"}, r.Requires.Packages); d != "" {
		t.Error(d)
	}
	if len(r.Requires.Files) != 2 || !r.Requires.Files[1].Top {
		t.Errorf("files: %+v", r.Requires.Files)
	}
}

func TestPinnedHashes(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	files := memory{"requirements.txt": "Num_py==2.1.3 ; python_version>'3' \\\n --hash=sha256:" + strings.ToUpper(b) + " \\\n --hash sha256:" + a + "\nx @ https://files.example/x.whl --hash=sha256:" + a + " --hash=sha512:00\n",
		"c.txt": "num-py==2.1.3 --hash=sha256:" + a + "\n", FileName: "python: {requirements: [requirements.txt], constraints: [c.txt]}\n"}
	want := []recipe.PinnedHashes{{Name: "num-py", Version: "2.1.3", SHA256: []string{a, b}}, {Name: "x", SHA256: []string{a}}}
	if d := cmp.Diff(want, resolveMemory(t, files, Selection{}).Requires.Hashes); d != "" {
		t.Error(d)
	}
}

// TestPlacedOverrides: what comes from git or lies in the project stands in place of a pinned version, as every other override.
func TestPlacedOverrides(t *testing.T) {
	const pyproject = "[build-system]\nrequires = ['setuptools']\n[project]\nname = 'p'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['gsplat==1.4.0', 'tool==1']\n"
	lib := memory{"lib/pyproject.toml": "[build-system]\nrequires = ['setuptools']\n[project]\nname = 'tool'\nversion = '2'\n", "main.py": ""}
	want := []string{"gsplat @ git+https://git.example/team/gsplat@v1.4.0", "tool @ ./lib"}
	for _, c := range []struct{ key, project, packages string }{
		{"overrides: [\"" + want[0] + "\", \"" + want[1] + "\"]", pyproject, ""},
		{"then: [\"" + want[0] + "\", {packages: [\"" + want[1] + "\"]}]", pyproject, strings.Join(want, " ")},
		{"project: .", pyproject + "[tool.uv]\noverride-dependencies = ['" + want[0] + "', '" + want[1] + "']\n", ""},
	} {
		files := memory{"pyproject.toml": c.project, FileName: "python: {version: \"3.11\", project: ., " + strings.TrimPrefix(c.key, "project: .") + "}\n"}
		maps.Copy(files, lib)
		r := resolveMemory(t, files, Selection{})
		if !slices.Equal(r.Requires.Overrides, want) || strings.Join(r.Requires.Packages, " ") != c.packages {
			t.Errorf("%s: overrides %q, packages %q", c.key, r.Requires.Overrides, r.Requires.Packages)
		}
		if repos := r.Requires.GitRepos(); !slices.Contains(repos, "https://git.example/team/gsplat@v1.4.0") {
			t.Errorf("%s: repositories %q", c.key, repos)
		}
	}
}
