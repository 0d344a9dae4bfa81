package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestKindsOfImages(t *testing.T) {
	gpu := Selection{Profile: "gpu"}
	for _, test := range []struct {
		name, lines string
		sel         Selection
		want        recipe.BaseImage
	}{
		{"python", "base: python\n", Selection{}, recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim", Interpreter: "/usr/local/bin/python3.11"}},
		{"python of a release", "base: {kind: python, suite: trixie, variant: full}\npython: {version: \"3.13\"}\n", Selection{},
			recipe.BaseImage{Ref: "docker.io/library/python:3.13-trixie", Interpreter: "/usr/local/bin/python3.13", Glibc: "2.41"}},
		{"cuda", "profiles: {gpu: {accelerator: {cuda: \"12.6\"}, base: cuda}}\n", gpu, recipe.BaseImage{
			Kind: "cuda", Ref: "docker.io/nvidia/cuda:12.6.3-runtime-ubuntu24.04", Interpreter: "/usr/local/bin/python3.11", Glibc: "2.39", Python: "docker.io/library/python:3.11-slim-bookworm"}},
		{"cuda with cuDNN 8", "profiles: {gpu: {base: {kind: cuda, version: \"11.8\", variant: cudnn-runtime, distro: ubuntu20.04}}}\n", gpu, recipe.BaseImage{
			Kind: "cuda", Ref: "docker.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu20.04", Interpreter: "/usr/local/bin/python3.11", Glibc: "2.31", Python: "docker.io/library/python:3.11-slim-bullseye"}},
		{"cuda with cuDNN 9 by number", "profiles: {gpu: {base: {kind: cuda, version: 12.3.2, variant: cudnn-devel, distro: \"22.04\"}}}\n", gpu, recipe.BaseImage{
			Kind: "cuda", Ref: "docker.io/nvidia/cuda:12.3.2-cudnn9-devel-ubuntu22.04", Interpreter: "/usr/local/bin/python3.11", Glibc: "2.35", Python: "docker.io/library/python:3.11-slim-bullseye"}},
		{"cuda with a Python", "profiles: {gpu: {base: {kind: cuda, version: \"12.6\", variant: base, python: \"registry.example/python:3.11-slim-bookworm\"}}}\n", gpu, recipe.BaseImage{
			Kind: "cuda", Ref: "docker.io/nvidia/cuda:12.6.3-base-ubuntu24.04", Interpreter: "/usr/local/bin/python3.11", Glibc: "2.39", Python: "registry.example/python:3.11-slim-bookworm"}},
		{"pytorch by its pin", "python: {packages: [torch==2.9.1]}\nprofiles: {gpu: {base: pytorch}}\n", gpu, recipe.BaseImage{
			Kind: "pytorch", Ref: "docker.io/pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime", Interpreter: "/opt/conda/bin/python3.11", Look: true, Packages: true}},
		{"pytorch of a CUDA", "profiles: {gpu: {accelerator: {cuda: \"12.1\"}, base: {kind: pytorch, version: 2.3.1, variant: devel}}}\n", gpu, recipe.BaseImage{
			Kind: "pytorch", Ref: "docker.io/pytorch/pytorch:2.3.1-cuda12.1-cudnn8-devel", Interpreter: "/opt/conda/bin/python3.11", Look: true, Packages: true}},
		{"tensorflow", "python: {packages: [tensorflow==2.20.0]}\nbase: tensorflow\n", Selection{}, recipe.BaseImage{
			Kind: "tensorflow", Ref: "docker.io/tensorflow/tensorflow:2.20.0", Interpreter: "/usr/bin/python3.11", Look: true, Packages: true}},
		{"tensorflow for a GPU", "base: {kind: tensorflow, version: 2.20.0}\n", gpu, recipe.BaseImage{
			Kind: "tensorflow", Ref: "docker.io/tensorflow/tensorflow:2.20.0-gpu", Interpreter: "/usr/bin/python3.11", Look: true, Packages: true}},
		{"distroless", "base: distroless\n", Selection{}, recipe.BaseImage{
			Kind: "distroless", Ref: "gcr.io/distroless/python3-debian12:latest", Interpreter: "/usr/bin/python3.11", Glibc: "2.36"}},
		{"distroless with a Python that it has not", "base: {kind: distroless, variant: nonroot}\npython: {version: \"3.12\"}\n", Selection{}, recipe.BaseImage{
			Kind: "distroless", Ref: "gcr.io/distroless/cc-debian12:nonroot", Interpreter: "/usr/local/bin/python3.12", Glibc: "2.36", Python: "docker.io/library/python:3.12-slim-bookworm"}},
		{"an image", "base: registry.example/ml:7\n", Selection{}, recipe.BaseImage{Ref: "registry.example/ml:7", Interpreter: "/usr/local/bin/python3.11", Look: true}},
		{"an image that says where", "base: {image: \"registry.example/ml:7\", interpreter: /opt/python/bin/python3.11}\n", Selection{}, recipe.BaseImage{
			Ref: "registry.example/ml:7", Interpreter: "/opt/python/bin/python3.11"}},
		{"an image with packages", "base: {image: \"registry.example/ml:7\", packages: true}\n", Selection{}, recipe.BaseImage{
			Ref: "registry.example/ml:7", Interpreter: "/usr/local/bin/python3.11", Look: true, Packages: true}},
		{"an image without Python", "base: {image: \"ubuntu:24.04\", python: \"python:3.11-slim-bookworm\"}\n", Selection{}, recipe.BaseImage{
			Ref: "docker.io/library/ubuntu:24.04", Interpreter: "/usr/local/bin/python3.11", Glibc: "2.39", Python: "docker.io/library/python:3.11-slim-bookworm"}},
		{"an image with the Python of its distribution", "base: {image: \"ubuntu:24.04\", python: distribution}\npython: {version: \"3.12\"}\n", Selection{}, recipe.BaseImage{
			Ref: "docker.io/library/ubuntu:24.04", Interpreter: "/usr/bin/python3.12", Glibc: "2.39", Packaged: true}},
		{"cuda with the Python of its distribution", "python: {version: \"3.10\"}\nprofiles: {gpu: {base: {kind: cuda, version: \"12.6\", distro: ubuntu22.04, python: distribution}}}\n", gpu, recipe.BaseImage{
			Kind: "cuda", Ref: "docker.io/nvidia/cuda:12.6.3-runtime-ubuntu22.04", Interpreter: "/usr/bin/python3.10", Glibc: "2.35", Packaged: true}},
		{"--base", "base: distroless\n", Selection{Base: "python:3.11-slim"}, recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim", Interpreter: "/usr/local/bin/python3.11"}},
		{"--base of a kind", "base: {image: \"registry.example/ml:7\", packages: true}\n", Selection{Base: "distroless"}, recipe.BaseImage{
			Kind: "distroless", Ref: "gcr.io/distroless/python3-debian12:latest", Interpreter: "/usr/bin/python3.11", Glibc: "2.36"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if r := debianOf(t, test.lines, test.sel); r.Base != test.want {
				t.Errorf("got  %+v\nwant %+v", r.Base, test.want)
			}
		})
	}
}

// TestPythonOfTheDistribution: it is a package of the image, and one of the builder's with its headers. What is laid over an old base instead is told to be old.
func TestPythonOfTheDistribution(t *testing.T) {
	own := debianOf(t, "base: {image: \"ubuntu:24.04\", python: distribution}\npython: {version: \"3.12\"}\nsystem: {runtime: [curl], build: [gcc]}\n", Selection{})
	if got := strings.Join(own.System, " "); got != "curl python3.12" {
		t.Errorf("the image has %s", got)
	}
	if got := strings.Join(own.Builder.System, " "); got != "gcc python3.12 python3.12-dev" {
		t.Errorf("the builder has %s", got)
	}
	if got := compat.FullPython(own, []string{"PYTHON_VERSION=3.12.9"}, own.Base.Interpreter); got != "3.12.3" {
		t.Errorf("it is Python %s", got)
	}
	gpu := Selection{Profile: "gpu"}
	old := debianOf(t, "profiles: {gpu: {base: {kind: cuda, version: \"12.6\", distro: ubuntu22.04}}}\n", gpu)
	want := "the Python over the base is that of docker.io/library/python:3.11-slim-bullseye, which is no longer renewed: newer ones need a newer glibc than 2.35, " +
		"which docker.io/nvidia/cuda:12.6.3-runtime-ubuntu22.04 has; take a newer base, or the distribution's own Python, 3.10: base: {python: distribution}"
	if !slices.Contains(old.Notes, want) {
		t.Errorf("notes %q", old.Notes)
	}
	for _, lines := range []string{"{kind: cuda, version: \"12.6\"}", "{kind: cuda, version: \"12.6\", distro: ubuntu22.04, python: \"python:3.11-slim-bullseye\"}"} {
		if r := debianOf(t, "profiles: {gpu: {base: "+lines+"}}\n", gpu); strings.Contains(strings.Join(r.Notes, "\n"), "renewed") {
			t.Errorf("%s: notes %q", lines, r.Notes)
		}
	}
}

// TestFrameworkKeepsItsName: the base has tensorflow, not tensorflow-cpu, and which base it is counts for the lock.
func TestFrameworkKeepsItsName(t *testing.T) {
	based := debianOf(t, "python: {packages: [tensorflow==2.20.0]}\nbase: tensorflow\n", Selection{})
	plain := debianOf(t, "python: {packages: [tensorflow==2.20.0]}\n", Selection{})
	if len(based.Requires.Rename) > 0 || plain.Requires.Rename["tensorflow"] != "tensorflow-cpu" {
		t.Errorf("renamed %v on the base, %v without", based.Requires.Rename, plain.Requires.Rename)
	}
	if based.Requires.Inputs == plain.Requires.Inputs {
		t.Error("a lock does not depend on the base's packages")
	}
}

// TestPythonSuites: a laid Python never needs a newer glibc than the base has.
func TestPythonSuites(t *testing.T) {
	for _, c := range []struct{ python, glibc, want string }{
		{"3.11", "2.41", "trixie"}, {"3.11", "2.42", "trixie"}, {"3.11", "2.39", "bookworm"}, {"3.11", "2.35", "bullseye"}, {"3.11", "2.31", "bullseye"},
		{"3.11", "2.28", ""}, {"3.14", "2.35", ""}, {"3.14", "2.39", "bookworm"}, {"3.8", "2.41", "bookworm"}, {"3.15", "2.41", "trixie"}, {"3.11", "", "bookworm"},
	} {
		if got := suiteFor(c.python, c.glibc); got != c.want {
			t.Errorf("Python %s on glibc %s: %q, want %q", c.python, c.glibc, got, c.want)
		}
	}
}

func TestFaultsOfImageKinds(t *testing.T) {
	gpu := Selection{Profile: "gpu"}
	in := func(lines ...string) string { return "profiles:\n  gpu:\n    " + strings.Join(lines, "\n    ") + "\n" }
	runFaults(t, []faultCase{
		{"cuda in a CPU profile", yamlFile("base: {kind: cuda, version: \"12.6\"}\n"), Selection{}, []string{
			"E-VARIANT mlbuild.yaml:1:14: the profile cpu is for CPU, and a base of kind cuda brings CUDA, several GB of it | profiles: {gpu: {base: {kind: cuda}}}"}},
		{"no CUDA named", yamlFile(in("base: cuda")), gpu, []string{"E-SPEC mlbuild.yaml:3:11: a base of kind cuda needs the version of CUDA"}},
		{"no such CUDA", yamlFile(in("base: {kind: cuda, version: \"12.7\"}")), gpu, []string{
			"E-CUDA mlbuild.yaml:3:33: nvidia/cuda is not known to have an image of CUDA 12.7 (tables of 2026-11) | it has 12.0.0, 12.0.1"}},
		{"no such Ubuntu", yamlFile(in("base: {kind: cuda, version: \"11.8\", distro: ubuntu24.04}")), gpu, []string{
			"E-CUDA mlbuild.yaml:3:49: nvidia/cuda has no CUDA 11.8 on ubuntu24.04 | it has it on ubuntu18.04, ubuntu20.04, ubuntu22.04"}},
		{"no such variant", yamlFile(in("base: {kind: cuda, version: \"12.6\", variant: runtimes}")), gpu, []string{
			`E-SPEC mlbuild.yaml:3:50: base.variant "runtimes" does not exist | did you mean "runtime"?`}},
		{"a Python for a newer glibc", yamlFile(in("base: {kind: cuda, version: \"12.6\", distro: ubuntu22.04, python: \"python:3.11-slim-bookworm\"}")), gpu, []string{
			"E-ABI mlbuild.yaml:3:70: the Python of docker.io/library/python:3.11-slim-bookworm is built for glibc 2.36, the base docker.io/nvidia/cuda:12.6.3-runtime-ubuntu22.04 has 2.35"}},
		{"a Python of musl", yamlFile(in("base: {kind: cuda, version: \"12.6\", python: \"python:3.11-alpine\"}")), gpu, []string{"E-ABI mlbuild.yaml:3:49: the base docker.io/library/python:3.11-alpine has musl"}},
		{"another Python", yamlFile(in("base: {kind: cuda, version: \"12.6\", python: \"python:3.12-slim-bookworm\"}")), gpu, []string{"E-SPEC mlbuild.yaml:3:49: the base python:3.12-slim-bookworm has Python 3.12, the project wants 3.11"}},
		{"no Python for the base", yamlFile("python: {version: \"3.14\"}\n" + in("base: {kind: cuda, version: \"12.6\", distro: ubuntu22.04}")), gpu, []string{
			"E-SPEC mlbuild.yaml:4:18: no official image of Python 3.14 is built for a glibc as old as 2.35"}},
		{"a Python that the distribution has not", yamlFile(in("base: {kind: cuda, version: \"12.6\", python: distribution}")), gpu, []string{
			"E-SPEC mlbuild.yaml:3:49: the distribution of docker.io/nvidia/cuda:12.6.3-runtime-ubuntu24.04 has Python 3.12 and no other, the project wants 3.11 (default) | set python: {version: \"3.12\"}"}},
		{"packages on distroless", yamlFile("base: {kind: distroless, python: distribution}\npython: {version: \"3.12\"}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:34: a distroless base has no apt"}},
		{"pytorch in a CPU profile", yamlFile("base: pytorch\n"), Selection{}, []string{"E-VARIANT mlbuild.yaml:1:7: the profile cpu is for CPU, and a base of kind pytorch brings CUDA"}},
		{"no torch", yamlFile(in("base: pytorch")), gpu, []string{"E-SPEC mlbuild.yaml:3:11: a base of kind pytorch needs the version of torch | pin torch in the requirements"}},
		{"half a version", yamlFile(in("base: {kind: pytorch, version: \"2.9\"}")), gpu, []string{"E-SPEC mlbuild.yaml:3:36: torch 2.9 is not a whole version: the images are tagged by three numbers | for example 2.9.0"}},
		{"a torch without this CUDA", yamlFile(in("accelerator: {cuda: \"12.6\"}", "base: {kind: pytorch, version: 2.5.1}")), gpu, []string{"E-CUDA mlbuild.yaml:3:25: torch 2.5.1 was not built for CUDA 12.6"}},
		{"apt on distroless", yamlFile("base: distroless\nsystem: {runtime: [libgomp1]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:20: a distroless base has no apt that could say what these packages need | base: {kind: debian}"}},
		{"no such release", yamlFile("base: {kind: python, suite: bookwurm}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:29: no base of kind python stands on the Debian release "bookwurm" | did you mean "bookworm"?`}},
		{"two Pythons", yamlFile("base: {image: \"ubuntu:24.04\", python: \"python:3.11-slim\", packages: true}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:39: base.python brings a Python, so that the base's own interpreter and packages do not count"}},
	})
}
