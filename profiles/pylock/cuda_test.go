package pylock

import (
	"strings"
	"testing"
)

// wheelsOf makes wheels of "name version, name version".
func wheelsOf(list string) []Wheel {
	var ws []Wheel
	for item := range strings.SplitSeq(list, ", ") {
		name, version, _ := strings.Cut(item, " ")
		ws = append(ws, Wheel{Name: name, Version: version})
	}
	return ws
}

func TestCUDA(t *testing.T) {
	for list, want := range map[string]string{
		"numpy 2.4.6, torch 2.6.0+cpu":                                             "",
		"torch 2.6.0+cu126, triton 3.2.0":                                          "12.6",
		"torch 2.6.0+cu118":                                                        "11.8",
		"torch 1.4.0+cu92":                                                         "9.2",
		"torch 2.9.0+cu130":                                                        "13.0",
		"cuda-toolkit 13.2.2, torch 2.15.0":                                        "13.2",
		"nvidia-cuda-runtime-cu12 12.5.82, tensorflow 2.19.0":                      "12.5",
		"nvidia-cuda-runtime 13.2.86":                                              "13.2",
		"nvidia-cudnn-cu12 9.3.0.75, xgboost 3.0":                                  "12",
		"nvidia-nccl-cu13 2.30":                                                    "13",
		"cupy-cuda12x 13.4":                                                        "12",
		"jax-cuda12-plugin 0.6":                                                    "12",
		"flash-attn 2.7.4.post1+cu12torch2.6cxx11abifalse":                         "12",
		"flash-attn 2.7+cu12torch2.6, nvidia-cuda-runtime-cu12 12.6.77":            "12.6",
		"cuda-toolkit 12.8.1, torch 2.6.0+cu126":                                   "12.6",
		"torchvision 0.21.0+cu124":                                                 "12.4",
		"document 1+cut126, cu126 1, nvidia-ml-py 12.560.30, my-cub12 1, x 1+gcu1": "",
		"": "",
	} {
		if got := CUDA(wheelsOf(list)); got != want {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}

func TestNVIDIA(t *testing.T) {
	ws := wheelsOf("cuda-bindings 13, cuda-pathfinder 1, cuda-toolkit 13, cudatext 1, numpy 2, nvidia-cublas 13, nvidia-ml-py 12, nvidia-nccl-cu12 2, nvidiasmi 1, torch 2, triton 3")
	var names []string
	for _, w := range NVIDIA(ws) {
		names = append(names, w.Name)
	}
	if got := strings.Join(names, " "); got != "cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-nccl-cu12" {
		t.Errorf("got %s", got)
	}
}

func TestPathTo(t *testing.T) {
	l := &Lock{
		Packages: []Package{
			{Name: "torch", Dependencies: []string{"nvidia-cudnn-cu12", "sympy"}},
			{Name: "sympy", Dependencies: []string{"mpmath"}},
			{Name: "alone"},
		},
		Tool: Tool{Via: map[string][]string{
			"torch": {"accelerate", "peft"}, "accelerate": {"peft"}, "Numpy": {"torch", "-r requirements.txt"},
			"loop-a": {"loop-b"}, "loop-b": {"loop-a"},
		}},
	}
	for name, want := range map[string]string{
		"nvidia_cudnn.cu12": "peft torch nvidia-cudnn-cu12", "mpmath": "peft torch sympy mpmath", "peft": "peft",
		"numpy": "-r requirements.txt|numpy", "alone": "", "missing": "", "loop-a": "",
	} {
		want = strings.ReplaceAll(want, " ", "|")
		want = strings.Replace(want, "-r|", "-r ", 1)
		if got := strings.Join(l.PathTo(name), "|"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if l.PathTo("alone") != nil || l.PathTo("loop-a") != nil {
		t.Error("an unknown path is not nil")
	}
}
