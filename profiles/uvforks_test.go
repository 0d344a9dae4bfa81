package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// forkedLock is a lock with two builds of torch, and tensorflow beside it. cpu and cuda are the markers of the two.
func forkedLock(cpu, cuda string) string {
	return `version = 1
requires-python = ">=3.11"

[[package]]
name = "forked"
version = "1"
source = { virtual = "." }
dependencies = [
    { name = "torch", version = "2.9.1+cpu", source = { registry = "https://m.example/whl/cpu" }, marker = "` + cpu + `" },
    { name = "torch", version = "2.9.1+cu126", source = { registry = "https://m.example/whl/cu126" }, marker = "` + cuda + `" },
    { name = "wants-tf" },
    { name = "tool" },
]
[package.metadata]
requires-dist = [{ name = "torch" }, { name = "wants-tf" }, { name = "tool" }]

[[package]]
name = "nvidia-cudnn-cu12"
version = "9"
source = { registry = "https://index.example/simple" }

[[package]]
name = "nvidia-ml-py"
version = "12.1"
source = { registry = "https://index.example/simple" }

[[package]]
name = "tensorflow"
version = "2.19.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://files.example/tf.whl", hash = "sha256:` + sumB + `" }]

[[package]]
name = "tool"
version = "1"
source = { git = "https://git.example/team/tool?subdirectory=python&rev=main#0123456789012345678901234567890123456789" }
dependencies = [{ name = "nvidia-ml-py" }]

[[package]]
name = "torch"
version = "2.9.1+cpu"
source = { registry = "https://m.example/whl/cpu" }
wheels = [{ url = "https://m.example/torch-cpu.whl", hash = "sha256:` + sumA + `" }]

[[package]]
name = "torch"
version = "2.9.1+cu126"
source = { registry = "https://m.example/whl/cu126" }
dependencies = [{ name = "nvidia-cudnn-cu12" }]

[[package]]
name = "wants-tf"
version = "3.0"
source = { registry = "https://index.example/simple" }
dependencies = [{ name = "tensorflow", marker = "extra == 'extra-8-wants-tf-tf' or sys_platform == 'linux'" }]
`
}

func forkedFiles(lock, sources, yaml string) memory {
	return memory{
		"main.py": "", "uv.lock": lock, FileName: "pytorch_index: https://m.example/whl\n" + yaml,
		"pyproject.toml": "[project]\nname = 'forked'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['torch', 'wants-tf', 'tool']\n[tool.uv.sources]\ntorch = [" + sources + "]\n" +
			"tool = {git = 'https://git.example/team/tool', subdirectory = 'python', branch = 'main'}\n" +
			"[[tool.uv.index]]\nname = 'pytorch-cpu'\nurl = 'https://m.example/whl/cpu'\nexplicit = true\n[[tool.uv.index]]\nname = 'pytorch-cu126'\nurl = 'https://m.example/whl/cu126'\nexplicit = true\n",
	}
}

// TestUVForks: which of the builds of a lock an image gets is decided by the markers of its own platform. Where the profile takes another, everything else stays as
// it is locked: versions, commits and hashes.
func TestUVForks(t *testing.T) {
	const cpuElsewhere = "{index = 'pytorch-cpu', marker = \"sys_platform != 'linux'\"}, {index = 'pytorch-cu126', marker = \"sys_platform == 'linux'\"}"
	const cudaElsewhere = "{index = 'pytorch-cpu', marker = \"sys_platform == 'linux'\"}, {index = 'pytorch-cu126', marker = \"sys_platform == 'win32'\"}"
	const byMachine = "{index = 'pytorch-cpu', marker = \"platform_machine != 'x86_64'\"}, {index = 'pytorch-cu126', marker = \"platform_machine == 'x86_64'\"}"
	lock := map[string]string{
		cpuElsewhere: forkedLock("sys_platform != 'linux'", "sys_platform == 'linux'"), cudaElsewhere: forkedLock("sys_platform == 'linux'", "sys_platform == 'win32'"),
		byMachine: forkedLock("platform_machine != 'x86_64'", "platform_machine == 'x86_64'"),
	}
	const rest = "tensorflow==2.19.0\n"
	const torch = "torch==2.9.1\n"
	const keeps = "nvidia-ml-py==12.1\n"
	const tf = "wants-tf==3.0\n"
	for _, c := range []struct{ name, sources, yaml, profile, pins, index string }{
		{"the lock's CUDA", cpuElsewhere, "", "gpu", "", ""},
		{"the CPU's in place of CUDA", cpuElsewhere, "python: {allow: [tensorflow]}\n", "cpu", keeps + rest + torch + tf, "pytorch-cpu"},
		{"CUDA only on Windows", cudaElsewhere, "profiles: {gpu: {accelerator: {cuda: \"12.6\"}}}\n", "gpu", keeps + rest + torch + tf, "pytorch-cu126"},
		{"no CUDA for any CUDA", cudaElsewhere, "", "gpu", keeps + rest + torch + tf, ""},
		{"the lock's CPU", cudaElsewhere, "python: {allow: [tensorflow]}\n", "cpu", "", ""},
		{"another name", cudaElsewhere, "", "cpu", "nvidia-cudnn-cu12==9\n" + keeps + rest + "tensorflow-cpu==2.19.0\n" + torch + tf, "pytorch-cpu"},
		{"one build for each processor", byMachine, "profiles: {gpu: {accelerator: {cuda: \"12.6\"}}}\n", "gpu",
			keeps + rest + "torch==2.9.1 ; platform_machine == 'aarch64'\ntorch==2.9.1 ; platform_machine == 'x86_64'\n" + tf, "pytorch-cu126"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := resolveMemory(t, forkedFiles(lock[c.sources], c.sources, c.yaml), Selection{Profile: c.profile}).Requires
			if c.pins == "" {
				if q.UV == nil {
					t.Errorf("packages are chosen anew: %+v", q.Constraints)
				}
				return
			}
			if q.UV != nil || len(q.Constraints) != 1 {
				t.Fatalf("uv takes what the lock has: %+v", q.UV)
			}
			if d := cmp.Diff(c.pins, q.Constraints[0].Data); d != "" {
				t.Errorf("versions (-want +got):\n%s", d)
			}
			if q.Torch != c.index {
				t.Errorf("torch comes from %q, want %q", q.Torch, c.index)
			}
			if d := cmp.Diff([]string{"tool @ git+https://git.example/team/tool@0123456789012345678901234567890123456789#subdirectory=python"}, q.Overrides); d != "" {
				t.Errorf("what comes from git (-want +got):\n%s", d)
			}
			if strings.Contains(q.Project.File.Data, "[tool.uv.sources.torch]") || strings.Contains(q.Project.File.Data, "torch = ") {
				t.Errorf("the lock's index of torch counts:\n%s", q.Project.File.Data)
			}
			found := map[string]string{}
			for _, h := range q.Hashes {
				found[h.Name+" "+h.Version] = h.SHA256[0]
			}
			if found["tensorflow 2.19.0"] != sumB || found["torch 2.9.1+cpu"] != sumA && c.sources != cpuElsewhere {
				t.Errorf("hashes: %v", found)
			}
		})
	}
}

// TestUVConflicts: of versions that extras tell apart, only the one of the wanted extra counts, and none where the profile wants neither.
func TestUVConflicts(t *testing.T) {
	const text = `version = 1
conflicts = [[{ package = "app", extra = "old" }, { package = "app", extra = "new" }]]

[[package]]
name = "app"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "both" }]
[package.optional-dependencies]
new = [{ name = "vision", version = "2" }]
old = [{ name = "vision", version = "1" }]
[package.metadata]
requires-dist = [{ name = "both" }, { name = "vision" }]

[[package]]
name = "both"
version = "1"
source = { registry = "https://index.example/simple" }
dependencies = [
    { name = "helper", version = "1", marker = "extra == 'extra-3-app-old' or (extra == 'extra-3-app-new' and extra == 'extra-3-app-none')" },
    { name = "helper", version = "2", marker = "extra == 'extra-3-app-new'" },
]

[[package]]
name = "helper"
version = "1"
source = { registry = "https://index.example/simple" }

[[package]]
name = "helper"
version = "2"
source = { registry = "https://index.example/simple" }

[[package]]
name = "vision"
version = "1"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version >= '3.12'", "python_full_version < '3.12'"]

[[package]]
name = "vision"
version = "2"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version >= '3.12'", "python_full_version < '3.12'"]
`
	for extras, want := range map[string]string{"old": "both==1\nhelper==1\nvision==1\n", "new": "both==1\nhelper==2\nvision==2\n", "": "both==1\n"} {
		files := memory{"main.py": "", "uv.lock": text, FileName: "python: {project: ., packages: [pandas], extras: [" + extras + "]}\n",
			"pyproject.toml": "[project]\nname = 'app'\nversion = '1'\ndependencies = ['both']\n[project.optional-dependencies]\nold = ['vision==1']\nnew = ['vision==2']\n"}
		if d := cmp.Diff(want, resolveMemory(t, files, Selection{}).Requires.Constraints[0].Data); d != "" {
			t.Errorf("%q (-want +got):\n%s", extras, d)
		}
	}
}

// TestPoetryLockIsHeld: commits, versions by Python, and what belongs to another build of torch.
func TestPoetryLockIsHeld(t *testing.T) {
	const text = `[[package]]
name = "triton"
version = "3.5.1"
python-versions = ">=3.10"
[[package]]
name = "numpy"
version = "1.24.4"
python-versions = ">=3.8,<3.11"
[[package]]
name = "numpy"
version = "2.2.6"
python-versions = ">=3.10"
[[package]]
name = "several"
version = "1"
markers = {main = "sys_platform == \"win32\"", dev = "python_version >= \"3.9\""}
[[package]]
name = "nvidia-cudnn-cu12"
version = "9"
[[package]]
name = "nvidia-ml-py"
version = "12"
[[package]]
name = "torch"
version = "2.9.1"
[[package]]
name = "tool"
version = "1"
[package.source]
type = "git"
url = "git@git.example:team/tool.git"
reference = "main"
resolved_reference = "0123456789012345678901234567890123456789"
subdirectory = "python"
[[package]]
name = "page"
version = "1"
files = [{file = "page-1.tar.gz", hash = "sha256:` + sumA + `"}]
[package.source]
type = "url"
url = "https://files.example/page-1.tar.gz"
`
	files := memory{"main.py": "", "poetry.lock": text, FileName: "python: {project: .}\n",
		"pyproject.toml": "[tool.poetry]\nname = 'app'\nversion = '1'\n[tool.poetry.dependencies]\npython = '>=3.11'\ntorch = '*'\ntool = {git = 'git@git.example:team/tool.git', branch = 'main'}\n"}
	for profile, nvidia := range map[string]string{"cpu": "", "gpu": "nvidia-cudnn-cu12==9\n"} {
		q := resolveMemory(t, files, Selection{Profile: profile}).Requires
		want := "triton==3.5.1\nnumpy==2.2.6\nseveral==1 ; (python_version >= \"3.9\") or (sys_platform == \"win32\")\n" + nvidia + "nvidia-ml-py==12\ntorch==2.9.1\n"
		if d := cmp.Diff(want, q.Constraints[0].Data); d != "" {
			t.Errorf("%s (-want +got):\n%s", profile, d)
		}
		if d := cmp.Diff([]string{"tool @ git+ssh://git@git.example/team/tool.git@0123456789012345678901234567890123456789#subdirectory=python"}, q.Overrides); d != "" {
			t.Errorf("%s: commits (-want +got):\n%s", profile, d)
		}
		if len(q.Hashes) != 1 || q.Hashes[0].Name != "page" || q.Hashes[0].SHA256[0] != sumA {
			t.Errorf("%s: hashes %+v", profile, q.Hashes)
		}
	}
}

// TestUVLockOfPyTorch: where pytorch_index names a mirror, the packages that a uv.lock has from PyTorch's own index come from there, with their versions and hashes.
func TestUVLockOfPyTorch(t *testing.T) {
	const sources = "{index = 'pytorch-cpu', marker = \"sys_platform == 'linux'\"}"
	lock := strings.ReplaceAll(forkedLock("sys_platform == 'linux'", "sys_platform == 'win32'"), "m.example/whl", "download.pytorch.org/whl")
	for mirror, url := range map[string]string{
		"":                                     "",
		"https://download.pytorch.org/whl/":    "",
		"https://mirror.example/pytorch/whl":   "https://mirror.example/pytorch/whl/cpu",
		"https://mirror.example/artifactory/p": "https://mirror.example/artifactory/p/cpu",
	} {
		files := forkedFiles(lock, sources, "")
		files["pyproject.toml"] = strings.ReplaceAll(files["pyproject.toml"], "m.example/whl", "download.pytorch.org/whl")
		files[FileName] = "python: {allow: [tensorflow]}\n"
		if mirror != "" {
			files[FileName] += "pytorch_index: " + mirror + "\n"
		}
		r := resolveMemory(t, files, Selection{Profile: "cpu"})
		q := r.Requires
		if url == "" {
			if q.UV == nil {
				t.Errorf("%q: packages are chosen anew: %+v", mirror, q.Constraints)
			}
			continue
		}
		bound := ""
		for _, ix := range q.Indexes {
			if ix.Name == q.Torch {
				bound = ix.URL
			}
		}
		if q.UV != nil || bound != url || len(q.Constraints) != 1 || !strings.Contains(q.Constraints[0].Data, "torch==2.9.1\n") {
			t.Errorf("%q: torch comes from %q (%q), versions %+v", mirror, bound, q.Torch, q.Constraints)
		}
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "pytorch_index is another place than the lock's") }) {
			t.Errorf("%q: notes %q", mirror, r.Notes)
		}
		if !slices.ContainsFunc(q.Hashes, func(h recipe.PinnedHashes) bool { return h.Name == "torch" && h.SHA256[0] == sumA }) {
			t.Errorf("%q: hashes %+v", mirror, q.Hashes)
		}
		if strings.Contains(q.Project.File.Data, "[tool.uv.sources.torch]") {
			t.Errorf("%q: the lock's index counts:\n%s", mirror, q.Project.File.Data)
		}
	}
}

// TestUVLockOfROCm: a uv.lock with the accelerator's build answers its profile alone.
func TestUVLockOfROCm(t *testing.T) {
	lock := strings.NewReplacer("+cpu", "+rocm6.4", "whl/cpu", "whl/rocm6.4").Replace(forkedLock("sys_platform == 'linux'", "sys_platform == 'win32'"))
	const sources = "{index = 'pytorch-cpu', marker = \"sys_platform == 'linux'\"}"
	for profile, want := range map[string]string{"amd": "", "cpu": "pytorch-cpu", "older": "pytorch-rocm6.3"} {
		files := forkedFiles(lock, sources, "python: {allow: [tensorflow]}\nprofiles: {amd: {accelerator: {rocm: \"6.4\"}}, older: {accelerator: {rocm: \"6.3\"}}}\n")
		files["pyproject.toml"] = strings.Replace(files["pyproject.toml"], "whl/cpu", "whl/rocm6.4", 1)
		q := resolveMemory(t, files, Selection{Profile: profile}).Requires
		if (q.UV != nil) != (want == "") || q.UV == nil && q.Torch != want {
			t.Errorf("%s: uv takes what the lock has %t, torch comes from %q, want %q", profile, q.UV != nil, q.Torch, want)
		}
	}
}
