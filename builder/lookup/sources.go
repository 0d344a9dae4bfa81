package lookup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Sources asks what packages are built with that come as source.
type Sources struct {
	Daemon
	SSH       SSH
	Tagged    pypi.Tagged                              // the project's newest tag in git, zero = there is none
	Open      func(path string) (io.ReadCloser, error) // opens a file of the project
	Addr      string                                   // the daemon's, for people
	Platforms []string                                 // whose programs the daemon can run
}

// Find returns what the packages are built with, the zero value if none is built. It refuses what could not be built here. Errors: fault.Platform for programs of a platform that the
// daemon cannot run, fault.Context and fault.Digest for files of the project that are not those of the lock, fault.Secret for a git server that ssh cannot reach, fault.Cuda for a
// CUDA without an image, and those of a look-up.
func (s Sources) Find(ctx context.Context, r *recipe.Recipe, base Base, p Packages) (t wheelbuild.Inputs, err error) {
	wheels := p.All()
	if err := s.check(r, wheels); err != nil {
		return t, err
	}
	if !wheelbuild.Any(wheels) {
		return t, nil
	}
	t = wheelbuild.Inputs{Needs: p.needs(), Asked: p.asked(), Glibc: p.Runtime.Glibc, Tagged: s.Tagged, Hosts: s.SSH.keysOf(serversOf(wheels))}
	t.InBase, t.BaseDirs = base.Contents.shown(r)
	if t.Tool, err = s.ImageOf(ctx, r.Tool, s.Worker); err != nil {
		return t, err
	}
	if r.Accelerator.Kind != recipe.CUDA || !slices.ContainsFunc(wheels, func(w pylock.Wheel) bool { return w.Source != nil && compiledWithCUDA(r, w.Name) }) {
		return t, nil
	}
	own := ownToolkit(r, base)
	if t.CUDA = cmp.Or(p.Runtime.CUDA, r.Accelerator.CUDA, own); own != "" && compat.MajorOf(own) == compat.MajorOf(t.CUDA) {
		t.CUDA, t.OwnCUDA = own, true
		return t, nil
	}
	t.Devel, err = s.devel(ctx, r, t.CUDA)
	return t, err
}

// ownToolkit is the version of the CUDA toolkit that a base has itself, with its compiler: NVIDIA's devel images say so by their tag, others were looked into. "" = none.
func ownToolkit(r *recipe.Recipe, base Base) string {
	if cuda := compat.BaseCUDA(r.Base.Ref); cuda != "" && strings.Contains(r.Base.Ref, "-devel") {
		return cuda
	}
	if base.Contents.NVCC {
		return base.Contents.CUDA
	}
	return ""
}

// devel looks up the image with the toolkit of a CUDA.
func (s Sources) devel(ctx context.Context, r *recipe.Recipe, cuda string) (ops.Base, error) {
	image, _, _ := compat.CUDABuild(cuda)
	if image == "" {
		return ops.Base{}, fault.New(fault.Cuda, "a package is to be compiled with CUDA %q, and the tables know no image with its toolkit", cuda).
			Hint("name the version: accelerator: {cuda: \"12.6\"}")
	}
	p, err := ParsePlatform(r.Platform)
	if err != nil {
		return ops.Base{}, err
	}
	return s.ImageOf(ctx, image, p)
}

func compiledWithCUDA(r *recipe.Recipe, name string) bool {
	return slices.ContainsFunc(r.Builder.Packages, func(p recipe.PackageBuild) bool { return p.Name == name && p.CUDA })
}

// check refuses what could not be built here, before anything is: programs of a platform that the daemon cannot run, and files of the project that are
// not those of the lock any more.
func (s Sources) check(r *recipe.Recipe, wheels []pylock.Wheel) error {
	if wheelbuild.Any(wheels) && !RunsOn(s.Platforms, r.Platform) {
		return fault.New(fault.Platform, "profile %s on %s builds packages from source, and the daemon at %s runs only %v",
			r.Profile, r.Platform, s.Addr, s.Platforms).
			Hint("install the emulator on the daemon's machine: apt-get install qemu-user-static").
			Hint("or build this platform on a daemon of its kind: --addr")
	}
	var faults fault.List
	for _, w := range wheels {
		if server := wheelbuild.SSHServer(w); server != "" {
			faults = append(faults, s.SSH.check(w.Label()+" comes from "+w.Source.URL, server)...)
		}
		path, sum := w.Path, w.SHA256
		if w.Source != nil && w.Source.Type == pylock.Archive {
			path, sum = w.Source.Path, w.Source.SHA256
		}
		if path != "" {
			faults = append(faults, fault.All(s.checkFile(path, sum, r.Profile))...)
		}
	}
	return faults.Err()
}

// checkFile holds a file of the project against the lock's sha256 (hex).
func (s Sources) checkFile(path, sum, profile string) error {
	f, err := s.Open(path)
	if err != nil {
		return fault.New(fault.Context, "a requirement is missing: %w", err).Hint("the lock names %s: put it there, or renew the lock: mlbuild lock --profile %s", path, profile)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fault.New(fault.Context, "a requirement cannot be read: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fault.New(fault.Digest, "%s is not the file that was locked: its sha256 is %s, the lock says %s", path, got, sum).
			Hint("renew the lock: mlbuild lock --profile %s", profile)
	}
	return nil
}
