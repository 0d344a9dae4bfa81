package compat

import (
	"strings"
	"testing"
)

// packagesOf makes packages of "name version, name version".
func packagesOf(list string) []Package {
	var ws []Package
	for item := range strings.SplitSeq(list, ", ") {
		name, version, _ := strings.Cut(item, " ")
		ws = append(ws, Package{Name: name, Version: version})
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
		if got := Known().Frameworks.CUDA(packagesOf(list)); got != want {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}
