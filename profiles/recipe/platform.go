package recipe

import "strings"

// Platforms are the platforms that images can be built for.
var Platforms = []string{"linux/amd64", "linux/arm64"}

// architectures are the names that uname -m, Debian and Docker have for what the platforms can run on, variants included that say nothing more
// (containerd's platforms, database.go).
var architectures = map[string]string{
	"amd64": "amd64", "x86_64": "amd64", "x86-64": "amd64", "amd64/v1": "amd64", "x86_64/v1": "amd64",
	"arm64": "arm64", "aarch64": "arm64", "arm64/v8": "arm64", "aarch64/v8": "arm64",
}

// PlatformOf returns the name in Platforms that is meant by another one for it, as linux/arm64/v8, aarch64 or linux/x86_64. Any other name is returned as it is.
func PlatformOf(name string) string {
	arch := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "linux/")
	if known, ok := architectures[arch]; ok {
		return "linux/" + known
	}
	return name
}
