package loader

import "strings"

// ofDriver begin the names of libraries that the driver of an NVIDIA card brings, which is put into a container when it starts on a machine that has one: never part of an image, and
// never of a wheel (libnvidia-container's list: nvc_info.c).
var ofDriver = []string{
	"libcuda.so", "libcudadebugger.so", "libnvidia-", "libnvcuvid.so", "libnvoptix.so", "libvdpau_nvidia.so",
	"libGLX_nvidia.so", "libEGL_nvidia.so", "libGLESv1_CM_nvidia.so", "libGLESv2_nvidia.so",
}

// Driver reports whether a library is one that a machine without an NVIDIA card cannot have, by its file name: "libcuda.so.1".
func Driver(library string) bool {
	for _, prefix := range ofDriver {
		if strings.HasPrefix(library, prefix) {
			return true
		}
	}
	return false
}
