package compat

// TorchFamily lists the packages that the PyTorch indexes build for each accelerator, as uv lists them. triton is left out: it has one
// build for all, and a package that only another needs must not become a requirement of its own.
var TorchFamily = []string{
	"fbgemm-gpu", "fbgemm-gpu-genai", "torch", "torch-tensorrt", "torchao", "torcharrow", "torchaudio", "torchcodec", "torchcsprng",
	"torchdistx", "torchrec", "torchserve", "torchtext", "torchtune", "torchvision", "xformers",
}
