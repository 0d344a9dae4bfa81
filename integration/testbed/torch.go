package testbed

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// Versions of the stand-ins in the PyTorch index.
const (
	TorchVersion       = "2.9.1"
	TorchvisionVersion = "0.24.1"
)

// addTorch fills the PyTorch indexes and puts the default index's torch into simple.
func (x *Index) addTorch() {
	for _, py := range []string{"cp311", "cp313"} {
		for _, arch := range []string{"x86_64", "aarch64"} {
			x.addFamily("whl/cpu", "+cpu", "None", tag(py, arch), nil)
		}
		x.addFamily("whl/cu126", "+cu126", "'12.6'", tag(py, "x86_64"), nvidiaRequires("12.6.77", "9.10.2.21"))
		x.addFamily("simple", "", "'12.8'", tag(py, "x86_64"), nvidiaRequires("12.8.90", "9.10.2.21"))
	}
	x.addNvidia("whl/cu126", "12.6.77", "9.10.2.21")
	// The default index has every release, those that other variants require too.
	x.addNvidia("simple", "12.6.77", "9.10.2.21")
	x.addNvidia("simple", "12.8.90", "9.10.2.21")
	x.AddWheel("simple", "needs-torch", "1.0", "py3-none-any",
		map[string]string{"needs_torch/__init__.py": "import torch\n"}, wheeltest.Requires("torch>=2"))
}

// AddWheel makes a wheel with wheeltest.Build and puts it into an index. It returns its URL.
func (x *Index) AddWheel(index, name, version, tag string, files map[string]string, opts ...wheeltest.Option) string {
	return x.Add(index, wheeltest.Filename(name, version, tag), wheeltest.Build(name, version, tag, files, opts...))
}

func tag(py, arch string) string { return py + "-" + py + "-manylinux_2_28_" + arch }

// nvidiaRequires are requirements as torch's wheels state them.
func nvidiaRequires(runtime, cudnn string) []string {
	return []string{
		fmt.Sprintf("nvidia-cuda-runtime-cu12==%s; platform_system == \"Linux\"", runtime),
		fmt.Sprintf("nvidia-cudnn-cu12==%s; platform_system == \"Linux\"", cudnn),
	}
}

// addFamily adds torch and torchvision of one local version, CUDA version (as Python writes it) and tag.
func (x *Index) addFamily(index, local, cuda, tag string, requires []string) {
	version := TorchVersion + local
	x.AddWheel(index, "torch", version, tag, map[string]string{
		"torch/__init__.py":             "from torch import version\n__version__ = version.__version__\n",
		"torch/version.py":              fmt.Sprintf("__version__ = '%s'\ncuda = %s\n", version, cuda),
		"torch/lib/libtorch_cpu.so":     filler("libtorch_cpu"+version+tag, 200_000),
		"{info}/entry_points.txt":       "[console_scripts]\ntorchrun = torch.distributed.run:main\n",
		"torch/distributed/run.py":      "import torch\n\ndef main():\n    print('torchrun', torch.__version__)\n",
		"torch/distributed/__init__.py": "",
	}, wheeltest.Requires(requires...), wheeltest.Metadata("Requires-Python", ">=3.10"))
	x.AddWheel(index, "torchvision", TorchvisionVersion+local, tag, map[string]string{
		"torchvision/__init__.py": fmt.Sprintf("import torch\n__version__ = '%s%s'\n", TorchvisionVersion, local),
		"torchvision/_C.so":       filler("torchvision"+version+tag, 20_000),
	}, wheeltest.Requires("torch=="+TorchVersion), wheeltest.Metadata("Requires-Python", ">=3.10"))
}

// addNvidia adds the CUDA libraries, which share the namespace package nvidia.
func (x *Index) addNvidia(index, runtime, cudnn string) {
	x.AddWheel(index, "nvidia-cuda-runtime-cu12", runtime, "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", map[string]string{
		"nvidia/__init__.py":                      "",
		"nvidia/cuda_runtime/__init__.py":         "",
		"nvidia/cuda_runtime/lib/libcudart.so.12": filler("cudart"+runtime, 50_000),
	})
	x.AddWheel(index, "nvidia-cudnn-cu12", cudnn, "py3-none-manylinux_2_27_x86_64", map[string]string{
		"nvidia/__init__.py":             "",
		"nvidia/cudnn/__init__.py":       "",
		"nvidia/cudnn/lib/libcudnn.so.9": filler("cudnn"+cudnn, 100_000),
	})
}

// filler is size bytes that do not compress and differ by seed.
func filler(seed string, size int) string {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(data)
	return string(data)
}
