// Package helper holds the programs that unpack wheels and Debian packages, run a project's commands and check images on the build daemon, built for each platform and embedded. Their
// bytes are in the cache key of every layer that they make: they are built reproducibly, and their sums are pinned in sha256sums.
package helper

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// The programs, by their file names in the container. They are several so that a new rule for Debian packages makes no wheel layer anew.
const (
	Wheels   = "mlbuild-unpack"
	Packages = "mlbuild-unpack-deb"
	Steps    = "mlbuild-step"
	Checks   = "mlbuild-check"
)

// programs holds, beside the programs, sha256sums with the sums of what was built: hashing megabytes in every run takes longer than
// connecting to a daemon.
//
//go:embed bin
var programs embed.FS

//go:embed sha256sums
var pinned string

// apart are the programs of a directory, in place of embedded ones; nil = there are none.
var apart atomic.Pointer[fs.FS]

// Pins are the sums of the programs as sha256sum prints them. They tell programs of one version from those of another.
func Pins() string { return pinned }

// Embedded reports whether the executable holds the programs: one that "go install" made holds none.
func Embedded() bool {
	_, err := programs.ReadFile("bin/sha256sums")
	return err == nil
}

// Use takes the programs of a directory as cmd/mlbuild-helpers writes it, in place of embedded ones. They are those of the same sources: another sum than a pinned one is fault.Internal.
func Use(dir string) error {
	sums, err := os.ReadFile(filepath.Join(dir, "sha256sums"))
	if err != nil {
		return err
	}
	if string(sums) != pinned {
		return fault.New(fault.Internal, "the programs in %s are not those of this mlbuild", dir)
	}
	files := os.DirFS(dir)
	apart.Store(&files)
	return nil
}

// files are the programs with their sums.
func files() (fs.FS, error) {
	if p := apart.Load(); p != nil {
		return *p, nil
	}
	return fs.Sub(programs, "bin")
}

// Program is an opened helper. It reads from the executable's own pages and copies nothing.
type Program struct {
	fs.File
	io.ReaderAt
	size int64
}

// Size is the program's length in bytes.
func (p *Program) Size() int64 { return p.size }

// Open returns a static program for a platform, "linux/amd64" or "linux/arm64". A variant ("linux/arm64/v8") is
// ignored. The error is fault.Platform where there is no such program, fault.Internal where it was not built.
func Open(program, platform string) (*Program, error) {
	name, err := fileOf(program, platform)
	if err != nil {
		return nil, err
	}
	from, err := files()
	if err != nil {
		return nil, fault.New(fault.Internal, "the embedded helpers cannot be read: %w", err)
	}
	file, err := from.Open(name)
	if err != nil {
		return nil, fault.New(fault.Internal, "this mlbuild was built without its helper for %s: run \"make helper\" first, then build mlbuild again", platform)
	}
	info, err := file.Stat()
	at, ok := file.(io.ReaderAt)
	if err != nil || !ok {
		return nil, fault.New(fault.Internal, "the embedded helper for %s cannot be read", platform)
	}
	return &Program{File: file, ReaderAt: at, size: info.Size()}, nil
}

// Find returns the program of a digest, "sha256:<hex>". The error is fault.Internal where there is none.
func Find(digest string) (*Program, error) {
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		for _, program := range []string{Wheels, Packages, Steps, Checks} {
			if d, err := Digest(program, platform); err == nil && d == digest {
				return Open(program, platform)
			}
		}
	}
	return nil, fault.New(fault.Internal, "there is no helper %s", digest)
}

// Binary returns the whole program, with the errors of Open.
func Binary(program, platform string) ([]byte, error) {
	p, err := Open(program, platform)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(p)
	if err != nil {
		return nil, fault.New(fault.Internal, "the embedded helper for %s: %w", platform, err)
	}
	return data, nil
}

// Digest returns "sha256:<hex>" of the program, with the errors of Open.
func Digest(program, platform string) (string, error) {
	p, err := Open(program, platform)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if from, err := files(); err == nil {
		built, _ := fs.ReadFile(from, "sha256sums")
		file, _ := fileOf(program, platform)
		if sum := sumIn(string(built), file); sum != "" {
			return "sha256:" + sum, nil
		}
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, p); err != nil {
		return "", fault.New(fault.Internal, "the embedded helper for %s: %w", platform, err)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

// Pinned reports whether the program is the one whose sum is pinned. One that is not works too, but its layers are in nobody
// else's cache.
func Pinned(program, platform string) bool {
	file, err := fileOf(program, platform)
	if err != nil {
		return false
	}
	sum, err := Digest(program, platform)
	return err == nil && sum == "sha256:"+sumIn(pinned, file)
}

// fileOf names a program for a platform.
func fileOf(program, platform string) (string, error) {
	switch platform {
	case "linux/amd64":
		return program + "-linux-amd64", nil
	case "linux/arm64", "linux/arm64/v8":
		return program + "-linux-arm64", nil
	}
	return "", fault.New(fault.Platform, "packages cannot be unpacked on a build daemon of %s: only linux/amd64 and linux/arm64", platform)
}

// sumIn finds the sum of a file in what sha256sum prints, "" if it is not there.
func sumIn(sums, file string) string {
	for line := range strings.Lines(sums) {
		if sum, name, _ := strings.Cut(strings.TrimSpace(line), "  "); name == file {
			return sum
		}
	}
	return ""
}
