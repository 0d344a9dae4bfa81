package compat

import "strings"

// elsewhere are packages that exist for one other system alone: the index has wheels for it, and no source that could be built on Linux. pip freeze writes them on
// such a machine. A name that ends in a dash stands for all that begin with it.
var elsewhere = []struct {
	system, platform string // for people, and as sys_platform has it
	names            []string
}{
	{"Windows", "win32", []string{"onnxruntime-directml", "pypiwin32", "pywin32", "pywinpty", "tensorflow-intel", "triton-windows", "windows-curses", "winrt-", "winsdk"}},
	{"macOS", "darwin", []string{"jax-metal", "mlx-metal", "pyobjc-core", "pyobjc-framework-", "tensorflow-macos", "tensorflow-metal"}},
}

// OnlyOn is the one system, other than Linux, that a package (normalized name) exists for, with its sys_platform; "" = it is not known to be so.
func OnlyOn(name string) (system, platform string) {
	for _, e := range elsewhere {
		for _, other := range e.names {
			if name == other || strings.HasSuffix(other, "-") && strings.HasPrefix(name, other) {
				return e.system, e.platform
			}
		}
	}
	return "", ""
}
