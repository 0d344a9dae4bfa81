package pylock

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// nvidiaTools are packages of NVIDIA's name that bring no CUDA library: bindings to the driver and index stubs.
var nvidiaTools = []string{"nvidia-ml-py", "nvidia-ml-py3", "nvidia-pyindex"}

// cudaPackages are NVIDIA's CUDA packages without its prefix.
var cudaPackages = []string{"cuda-bindings", "cuda-core", "cuda-pathfinder", "cuda-python", "cuda-toolkit"}

// NVIDIA lists the wheels that are NVIDIA's CUDA libraries, in the order of ws: nvidia-* and cuda-*, but
// neither triton nor the bindings to the driver (nvidia-ml-py).
func NVIDIA(ws []Wheel) []Wheel {
	var found []Wheel
	for _, w := range ws {
		nvidia := strings.HasPrefix(w.Name, "nvidia-") && !slices.Contains(nvidiaTools, w.Name)
		if nvidia || slices.Contains(cudaPackages, w.Name) {
			found = append(found, w)
		}
	}
	return found
}

// CUDA returns the CUDA version that the wheels bring, "12.6", or "12" where only the major is known; "" = none.
// The surest sign wins: torch's local version such as +cu126, the version of cuda-toolkit, that of
// nvidia-cuda-runtime, another package's local version, and last a name such as nvidia-cudnn-cu12.
func CUDA(ws []Wheel) string {
	for _, sign := range []func(Wheel) string{torchLocal, toolkitVersion, runtimeVersion, localCUDA, nameMajor} {
		for _, w := range ws {
			if v := sign(w); v != "" {
				return v
			}
		}
	}
	return ""
}

func torchLocal(w Wheel) string {
	if w.Name != "torch" {
		return ""
	}
	return localCUDA(w)
}

var (
	cudaLocal = lazyregexp.New(`\+(?:.*[._-])?cu(\d{2,3})(?:\D|$)`)
	cudaName  = lazyregexp.New(`-(?:cu|cuda)(\d{2})x?(?:-|$)`)
)

func localCUDA(w Wheel) string {
	m := cudaLocal.FindStringSubmatch(w.Version)
	if m == nil {
		return ""
	}
	return splitTag(m[1])
}

// splitTag reads the digits behind "cu": 126 is 12.6, 92 is 9.2, but 12 is the major version 12.
func splitTag(digits string) string {
	if len(digits) == 2 && digits[0] != '9' {
		return digits
	}
	return digits[:len(digits)-1] + "." + digits[len(digits)-1:]
}

func toolkitVersion(w Wheel) string {
	if w.Name != "cuda-toolkit" {
		return ""
	}
	return majorMinor(w.Version)
}

func runtimeVersion(w Wheel) string {
	if w.Name != "nvidia-cuda-runtime" && !strings.HasPrefix(w.Name, "nvidia-cuda-runtime-cu") {
		return ""
	}
	return majorMinor(w.Version)
}

func majorMinor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

func nameMajor(w Wheel) string {
	if m := cudaName.FindStringSubmatch(w.Name); m != nil {
		return m[1]
	}
	return ""
}
