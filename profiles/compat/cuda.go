package compat

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// CUDA returns the CUDA version that wheels bring, "12.6", or "12" where only the major is known; "" = none.
// The surest sign wins: the local version, such as +cu126, of a framework that says it there, the version of cuda-toolkit, that of
// nvidia-cuda-runtime, another package's local version, and last a name such as nvidia-cudnn-cu12.
func (fs Frameworks) CUDA(ws []Package) string {
	for _, sign := range []func(Package) string{fs.frameworkLocal, toolkitVersion, runtimeVersion, localCUDA, nameMajor} {
		for _, w := range ws {
			if v := sign(w); v != "" {
				return v
			}
		}
	}
	return ""
}

// saysCUDA reports whether a package is a framework whose version names its CUDA.
func (fs Frameworks) saysCUDA(name string) bool {
	f := fs.Of(name)
	return f != nil && f.CUDAInVersion
}

func (fs Frameworks) frameworkLocal(w Package) string {
	if !fs.saysCUDA(w.Name) {
		return ""
	}
	return localCUDA(w)
}

var (
	cudaLocal = lazyregexp.New(`\+(?:.*[._-])?cu(\d{2,3})(?:\D|$)`)
	cudaName  = lazyregexp.New(`-(?:cu|cuda)(\d{2})x?(?:-|$)`)
)

func localCUDA(w Package) string {
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

func toolkitVersion(w Package) string {
	if w.Name != "cuda-toolkit" {
		return ""
	}
	return majorMinor(w.Version)
}

func runtimeVersion(w Package) string {
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

func nameMajor(w Package) string {
	if m := cudaName.FindStringSubmatch(w.Name); m != nil {
		return m[1]
	}
	return ""
}
