package recipe

import "testing"

// TestPlatformOf: Docker, uname -m and Debian have other names for the platforms. What says more than the platform stays as it is, and is refused.
func TestPlatformOf(t *testing.T) {
	for given, want := range map[string]string{
		"linux/amd64": "linux/amd64", "linux/arm64": "linux/arm64", "linux/arm64/v8": "linux/arm64", "arm64/v8": "linux/arm64", "linux/aarch64": "linux/arm64", "aarch64": "linux/arm64",
		"arm64": "linux/arm64", "amd64": "linux/amd64", "x86_64": "linux/amd64", "linux/x86_64": "linux/amd64", "linux/x86-64": "linux/amd64", "linux/amd64/v1": "linux/amd64",
		"Linux/ARM64": "linux/arm64", " linux/amd64 ": "linux/amd64",
		"": "", "linux": "linux", "linux/amd64/v3": "linux/amd64/v3", "linux/arm64/v9": "linux/arm64/v9", "linux/arm/v7": "linux/arm/v7", "windows/amd64": "windows/amd64", "linux/linux/amd64": "linux/linux/amd64",
	} {
		if got := PlatformOf(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}
