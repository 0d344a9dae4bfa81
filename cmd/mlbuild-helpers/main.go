// Mlbuild-helpers builds the helper programs for every platform, byte for byte the same on every machine. What is compiled is their code alone (see package llb/helper/plain): comments, blank lines
// and the names of files do not count. It runs in the root of the module; build.sh in llb/helper calls it, and so does a client that was installed without the programs.
//
//	mlbuild-helpers DIR    DIR/PROGRAM-linux-ARCH for each, and DIR/sha256sums
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are those that run on the daemon, in the order of their sums.
var programs = []string{"mlbuild-unpack", "mlbuild-unpack-deb", "mlbuild-step", "mlbuild-check"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mlbuild-helpers DIR")
		os.Exit(2)
	}
	if err := build(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "mlbuild-helpers:", err)
		os.Exit(1)
	}
}

// build builds all programs into a directory, and writes their sums.
func build(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	code, err := os.MkdirTemp("", "mlbuild-helpers-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(code) }()
	for _, arch := range []string{"amd64", "arm64"} {
		if err := buildFor(arch, filepath.Join(code, arch), dir); err != nil {
			return err
		}
	}
	sums, err := sumsOf(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "sha256sums"), []byte(sums), 0o644)
}

// buildFor builds the programs for one architecture, out of code that is written to a directory first.
func buildFor(arch, code, dir string) error {
	for name, value := range map[string]string{
		"GOWORK": "off", "GOFLAGS": "", "GOEXPERIMENT": "", "GOFIPS140": "off", "GODEBUG": "", "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch, "GOAMD64": "v1", "GOARM64": "v8.0",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	var names []string
	for _, p := range programs {
		names = append(names, "./cmd/"+p)
	}
	if err := write(code, names); err != nil {
		return err
	}
	for _, p := range programs {
		cmd := exec.Command("go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-pgo=off", "-ldflags", "-s -w -buildid=",
			"-overlay", filepath.Join(code, "overlay.json"), "-o", filepath.Join(dir, p+"-linux-"+arch), "./cmd/"+p)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go build %s: %w", p, err)
		}
	}
	return nil
}

// sumsOf are the sums of the programs in a directory as sha256sum prints them.
func sumsOf(dir string) (string, error) {
	var all strings.Builder
	for _, p := range programs {
		for _, arch := range []string{"amd64", "arm64"} {
			name := p + "-linux-" + arch
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&all, "%x  %s\n", sha256.Sum256(data), name)
		}
	}
	return all.String(), nil
}
