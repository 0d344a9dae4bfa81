package profiles

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestFaultsOfCUDA(t *testing.T) {
	with := func(accelerator, requirements string) map[string]string {
		return map[string]string{FileName: "python: {version: \"3.11\"}\nprofiles:\n  gpu: {accelerator: " + accelerator + "}\n", "requirements.txt": requirements}
	}
	gpu := Selection{Profile: "gpu"}
	runFaults(t, []faultCase{
		{"kind", with("cdua", "flask\n"), gpu, []string{"E-SPEC mlbuild.yaml:3:22: the accelerator \"cdua\" does not exist"}},
		{"version", with("{cuda: cu126}", "flask\n"), gpu, []string{"E-SPEC mlbuild.yaml:3:29: \"cu126\" is not a CUDA version | \"12.6\""}},
		{"major only", with("{cuda: 13}", "flask\n"), gpu, []string{"E-SPEC mlbuild.yaml:3:29: \"13\" is not a CUDA version | \"13.2\""}},
		{"12 no such index", with("{cuda: \"12.7\"}", "torch\n"), gpu, []string{"E-CUDA mlbuild.yaml:3:29: no torch was ever built for CUDA 12.7 | nearest: 12.4, 12.6, 12.8, 12.9"}},
		{"12 pair", with("{cuda: \"12.4\"}", "flask\ntorch==2.9.1\n"), gpu, []string{
			"E-CUDA requirements.txt:2:1: torch 2.9.1 was not built for CUDA 12.4 | torch 2.9 exists for CUDA 12.6, 12.8, 13.0\nCUDA 12.4 exists for torch 2.4, 2.5, 2.6"}},
		{"12 tensorflow", with("{cuda: \"11.8\"}", "tensorflow==2.19.0\n"), gpu, []string{
			"E-CUDA requirements.txt:1:1: tensorflow 2.19.0 is built for CUDA 12.5, the profile wants CUDA 11.8 | cuda: \"12.5\""}},
		{"12 torchvision", with("cuda", "torchvision==0.26.0\ntorch==2.9.1\n"), gpu, []string{
			"E-RESOLVE requirements.txt:1:1: torchvision 0.26.0 is built for torch 2.11, the project wants torch 2.9.1 | torchvision 0.24"}},
		{"12 local build", with("{cuda: \"12.6\"}", "torch==2.9.1+cu128\n"), gpu, []string{
			"E-CUDA requirements.txt:1:1: torch is pinned to the build 2.9.1+cu128, the profile gpu wants CUDA 12.6 | Write torch==2.9.1:"}},
		{"12 cpu build", with("cuda", "torch==2.9.1+cpu\n"), gpu, []string{"E-CUDA requirements.txt:1:1: torch is pinned to the CPU build 2.9.1+cpu"}},
		{"16 local build", with("none", "torch==2.9.1+cu128\n"), Selection{}, []string{"E-VARIANT requirements.txt:1:1: pinned to the CUDA build 2.9.1+cu128, the profile cpu is for CPU"}},
		{"13 driver", with("{cuda: \"13.0\", min_driver: \"550\"}", "flask\n"), gpu, []string{
			"E-CUDA mlbuild.yaml:3:49: CUDA 13.0 needs driver 580 or newer, the profile promises to run on 550 | cuda: \"12.9\""}},
		{"13 driver text", with("{cuda: \"13.0\", min_driver: new}", "flask\n"), gpu, []string{"E-SPEC mlbuild.yaml:3:49: \"new\" is not a driver version"}},
		{"14 arm64", with("{cuda: \"12.4\"}", "torch\n"), Selection{Profile: "gpu", Platform: "linux/arm64"}, []string{
			"E-WHEEL mlbuild.yaml:3:29: torch has no wheels for CUDA 12.4 on linux/arm64 | CUDA 12.6, 12.8"}},
		{"15 python", map[string]string{FileName: "python: {version: \"3.14\"}\n", "requirements.txt": "torch==2.5.1\ntensorflow==2.19\n"}, Selection{}, []string{
			"E-WHEEL requirements.txt:1:1: torch 2.5.1 has no wheel for Python 3.14; it has them for 3.9 to 3.13 | torch 2.9, 2.10",
			"E-WHEEL requirements.txt:2:1: tensorflow 2.19 has no wheel for Python 3.14 | python: {version: \"3.12\"}"}},
		{"17 musl", yamlFile("base: python:3.11-alpine\n"), Selection{}, []string{"E-ABI mlbuild.yaml:1:7: has musl instead of glibc | Debian base"}},
		{"base python", yamlFile("base: {image: \"python:3.12-slim\", glibc: new}\npython: {version: \"3.11\"}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:15: has Python 3.12, the project wants 3.11 (mlbuild.yaml)", "E-SPEC mlbuild.yaml:1:42: not a glibc version"}},
	})
}

// TestNewerThanTheTables: what is not known is never refused.
func TestNewerThanTheTables(t *testing.T) {
	files := memory{FileName: "python: {version: \"3.16\"}\nprofiles: {gpu: {accelerator: {cuda: \"14.1\", min_driver: \"700\"}}}\n",
		"requirements.txt": "torch==3.1.0\ntensorflow==3.0\n"}
	p, err := Load(files.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(Selection{Profile: "gpu"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requires.Torch != "pytorch-cu141" {
		t.Errorf("torch is bound to %q, want pytorch-cu141", r.Requires.Torch)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"CUDA 14.1 is newer than the tables", "torch 3.1.0 is newer", "tensorflow 3.0 is newer"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes are %q, want %q in them", notes, want)
		}
	}
}

func wheels(list ...string) []compat.Package {
	var infos []compat.Package
	for _, item := range list {
		name, version, _ := strings.Cut(item, "==")
		infos = append(infos, compat.Package{Name: name, Version: version})
	}
	return infos
}

func TestCheckWheels(t *testing.T) {
	paths := map[string][]string{
		"nvidia-nccl-cu12": {"xgboost", "nvidia-nccl-cu12"}, "nvidia-cublas-cu12": {"app", "torch", "nvidia-cublas-cu12"},
		"nvidia-cudnn-cu12": {"app", "torch", "nvidia-cudnn-cu12"}, "nvidia-cublas": {"jax", "jax-cuda13-plugin", "nvidia-cublas"},
	}
	cpu := recipe.Recipe{Profile: "cpu", Python: recipe.Python{Version: "3.11"}, Accelerator: recipe.Accelerator{Kind: "none"}, Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim"}}
	gpu := cpu
	gpu.Profile, gpu.Accelerator = "gpu", recipe.Accelerator{Kind: "cuda"}
	with := func(r recipe.Recipe, change func(*recipe.Recipe)) recipe.Recipe { change(&r); return r }
	for _, c := range []struct {
		name   string
		recipe recipe.Recipe
		wheels []compat.Package
		want   []string
		note   string
	}{
		{"16 xgboost", cpu, wheels("xgboost==3.0", "nvidia-nccl-cu12==2.27"), []string{
			"E-VARIANT : xgboost brings nvidia-nccl-cu12: xgboost → nvidia-nccl-cu12 | require xgboost-cpu instead of xgboost"}, ""},
		{"16 torch", cpu, wheels("torch==2.9.1", "nvidia-cudnn-cu12==9", "nvidia-cublas-cu12==12.8"), []string{
			"E-VARIANT : torch brings nvidia-cublas-cu12 and 1 more CUDA packages: app → torch → nvidia-cublas-cu12 | allow: [torch]"}, ""},
		{"16 allowed", with(cpu, func(r *recipe.Recipe) { r.Requires.Allow = []string{"xgboost"} }), wheels("nvidia-nccl-cu12==2.27"), nil, ""},
		{"16 harmless", cpu, wheels("nvidia-ml-py==12.5", "torch==2.9.1+cpu", "cuda-lite==1"), nil, ""},
		{"12 index", with(gpu, func(r *recipe.Recipe) { r.Accelerator.CUDA = "12.6" }), wheels("torch==2.9.1+cu128"), []string{
			"E-CUDA : the packages bring CUDA 12.8, the profile gpu wants CUDA 12.6: torch 2.9.1+cu128 brings it | torch 2.9 exists for CUDA 12.6, 12.8, 13.0"}, ""},
		{"12 other version", with(gpu, func(r *recipe.Recipe) { r.Accelerator.CUDA, r.Python.Version = "12.1", "3.12" }), wheels("torch==2.9.1+cu128"), []string{
			"E-CUDA : torch 2.9.1+cu128 was not built for CUDA 12.1 | CUDA 12.1 exists for torch", "E-CUDA : the packages bring CUDA 12.8, the profile gpu wants CUDA 12.1: torch 2.9.1+cu128 brings it | CUDA 12.1 with Python 3.12 exists for torch 2.2, 2.3, 2.4, 2.5"}, ""},
		{"12 library", with(gpu, func(r *recipe.Recipe) { r.Accelerator.CUDA = "13.0" }), wheels("torch==2.9.1", "nvidia-cublas-cu12==12.8.4"), []string{
			"E-CUDA : the packages bring CUDA 12, the profile gpu wants CUDA 13.0: torch 2.9.1 brings it (app → torch → nvidia-cublas-cu12) | accelerator: cuda to take what they bring"}, ""},
		{"12 same major", with(gpu, func(r *recipe.Recipe) { r.Accelerator.CUDA = "12.6" }), wheels("tensorflow==2.19.0", "nvidia-cuda-runtime-cu12==12.5.82"), nil, ""},
		{"12 base", with(gpu, func(r *recipe.Recipe) { r.Base.Ref = "docker.io/nvidia/cuda:11.8.0-runtime-ubuntu22.04" }), wheels("torch==2.9.1+cu126"), []string{
			"E-CUDA : the packages bring CUDA 12.6, the base docker.io/nvidia/cuda:11.8.0-runtime-ubuntu22.04 has CUDA 11.8: torch 2.9.1+cu126 brings it | CUDA 11.8 with Python 3.11 exists for torch 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7\nUse docker.io/nvidia/cuda:12.6.3-runtime-ubuntu24.04"}, ""},
		{"twice", with(gpu, func(r *recipe.Recipe) { r.Base.Ref = "nvidia/cuda:12.8.1-base-ubuntu22.04" }), wheels("torch==2.9.1+cu126"), nil, "both bring CUDA 12"},
		{"12 conflict", gpu, wheels("torch==2.9.1", "nvidia-cublas-cu12==12.8.4", "nvidia-cublas==13.0.0.19", "nvidia-nccl-cu13==2.27"), []string{
			"E-CUDA : CUDA 12 by app → torch → nvidia-cublas-cu12; CUDA 13 by jax → jax-cuda13-plugin → nvidia-cublas | torch 2.9 exists for CUDA 12.6, 12.8, 13.0"}, ""},
		{"13 driver", with(gpu, func(r *recipe.Recipe) { r.Accelerator.MinDriver = "570" }), wheels("cuda-toolkit==13.0.2", "nvidia-cublas==13.0.0.19"), []string{
			"E-CUDA : CUDA 13.0 needs driver 580 or newer, the profile promises to run on 570 | cuda: \"12.9\""}, ""},
		{"15 python", with(gpu, func(r *recipe.Recipe) { r.Python.Version = "3.13" }), wheels("torch==2.4.1+cu124"), []string{
			"E-WHEEL : torch 2.4.1+cu124 has no wheel for Python 3.13"}, ""},
		{"onnx", gpu, wheels("onnxruntime-gpu==1.23"), nil, "onnxruntime-gpu[cuda,cudnn]"},
		{"in its own files", gpu, wheels("xgboost==3.1.1", "nvidia-nccl-cu12==2.27"), nil, ""},
		{"nothing", gpu, wheels("flask==3"), nil, "nothing in the profile gpu brings CUDA"},
		{"newer", gpu, wheels("torch==4.0+cu151"), nil, "torch 4.0+cu151 is newer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			notes, err := compat.CheckWheels(&c.recipe, c.wheels, func(name string) []string { return paths[name] })
			checkFaults(t, fault.All(err), c.want)
			if !strings.Contains(strings.Join(notes, "\n"), c.note) || c.note == "" && len(notes) > 0 {
				t.Errorf("the notes are %q, want %q", notes, c.note)
			}
		})
	}
}

func TestEnv(t *testing.T) {
	r := &recipe.Recipe{Accelerator: recipe.Accelerator{Kind: "cuda"}, App: recipe.App{Env: []recipe.Pair{{Name: "A", Value: "1"}}}}
	for cuda, want := range map[string]string{"12.6": "cuda>=12.6 driver>=525", "13": "cuda>=13.0 driver>=580", "11.8": "cuda>=11.8 driver>=450"} {
		if env := compat.Env(r, cuda); len(env) != 2 || env[1] != (recipe.Pair{Name: "NVIDIA_REQUIRE_CUDA", Value: want}) {
			t.Errorf("Env(%s) = %v, want NVIDIA_REQUIRE_CUDA=%s", cuda, env, want)
		}
	}
	if env := compat.Env(r, ""); len(env) != 1 {
		t.Errorf("Env without CUDA = %v", env)
	}
	r.App.Env = []recipe.Pair{{Name: "NVIDIA_REQUIRE_CUDA", Value: "cuda>=12"}}
	if env := compat.Env(r, "12.6"); len(env) != 1 || env[0].Value != "cuda>=12" {
		t.Errorf("the project's own value must win, got %v", env)
	}
	if env := compat.Env(&recipe.Recipe{Accelerator: recipe.Accelerator{Kind: "none"}}, "12.6"); len(env) != 0 {
		t.Errorf("Env of a CPU profile = %v", env)
	}
}

func TestCheckBase(t *testing.T) {
	r := &recipe.Recipe{Profile: "gpu", Python: recipe.Python{Version: "3.11", From: "mlbuild.yaml"}, Base: recipe.BaseImage{Ref: "registry.example/own:1"}}
	debian := []string{"# debian.sh --arch 'amd64' out/ 'bookworm' '@1757289600'"}
	glibc, err := compat.CheckBase(r, "13.0", debian, []string{"PYTHON_VERSION=3.12.4", "CUDA_VERSION=12.6.3"})
	if glibc != "2.36" {
		t.Errorf("glibc is %q, want 2.36", glibc)
	}
	checkFaults(t, fault.All(err), []string{
		"E-SPEC : the base registry.example/own:1 has Python 3.12, the project wants 3.11 | version: \"3.12\"",
		"E-CUDA : has CUDA 12.6.3, the profile gpu needs CUDA 13.0 | nvidia/cuda:13.0.3-runtime"})
	_, err = compat.CheckBase(r, "", []string{"ADD alpine-minirootfs-3.22.1-x86_64.tar.gz / # buildkit"}, nil)
	checkFaults(t, fault.All(err), []string{"E-ABI : has musl"})
	r.Base.Glibc = "2.35"
	if glibc, err := compat.CheckBase(r, "", nil, []string{"PYTHON_VERSION=3.11.9"}); glibc != "2.35" || err != nil {
		t.Errorf("got %q, %v; the project's own glibc must win", glibc, err)
	}
}
