// Package helper holds the program that unpacks wheels on the build daemon, built for each platform and embedded. Its
// bytes are in the cache key of every wheel layer: it is built reproducibly, and its sums are pinned in sha256sums.
package helper

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Name is the program's file name in the context that carries it to the daemon.
const Name = "mlbuild-unpack"

//go:embed bin
var programs embed.FS

//go:embed sha256sums
var sums string

// Binary gives the static program for a platform, "linux/amd64" or "linux/arm64". A variant ("linux/arm64/v8") is
// ignored. The error is fault.Platform where there is no such program, fault.Internal where it was not built.
func Binary(platform string) ([]byte, error) {
	file, err := fileOf(platform)
	if err != nil {
		return nil, err
	}
	data, err := programs.ReadFile("bin/" + file)
	if err != nil {
		return nil, fault.New(fault.Internal, "this mlbuild was built without its helper for %s: run \"make helper\" first, then build mlbuild again", platform)
	}
	return data, nil
}

// Digest gives "sha256:<hex>" of Binary, with the same errors.
func Digest(platform string) (string, error) {
	data, err := Binary(platform)
	if err != nil {
		return "", err
	}
	return "sha256:" + sumOf(data), nil
}

// Pinned tells whether Binary is the program whose sum is pinned. One that is not works too, but its layers are in nobody
// else's cache.
func Pinned(platform string) bool {
	file, err := fileOf(platform)
	if err != nil {
		return false
	}
	data, err := Binary(platform)
	return err == nil && pinnedSum(file) == sumOf(data)
}

// fileOf names the program for a platform.
func fileOf(platform string) (string, error) {
	switch platform {
	case "linux/amd64":
		return Name + "-linux-amd64", nil
	case "linux/arm64", "linux/arm64/v8":
		return Name + "-linux-arm64", nil
	}
	return "", fault.New(fault.Platform, "wheels cannot be unpacked on a build daemon of %s: only linux/amd64 and linux/arm64", platform)
}

// pinnedSum reads the sum of a file out of sha256sums, "" if it is not there.
func pinnedSum(file string) string {
	for line := range strings.Lines(sums) {
		if sum, name, _ := strings.Cut(strings.TrimSpace(line), "  "); name == file {
			return sum
		}
	}
	return ""
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
