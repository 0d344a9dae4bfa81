package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mlbuild/mlbuild/integration/bench/results"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// machine describes what the run runs on, without names of hosts. Dir is where the daemons keep their states.
func machine(ctx context.Context, dir string) (results.Machine, error) {
	m := results.Machine{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Go: runtime.Version(), FileSystem: fileSystem(dir),
	}
	kib, _ := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	m.Memory = kib << 10
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = release(string(kernel))
	for _, t := range []struct {
		name, arg string
		into      *string
	}{{"buildkitd", "--version", &m.BuildKit}, {"registry", "--version", &m.Registry}} {
		path, err := testbed.Tool(t.name)
		if err != nil {
			return m, err
		}
		if *t.into, err = firstLine(ctx, path, t.arg); err != nil {
			return m, err
		}
	}
	uv, err := uvPath(ctx)
	if err != nil {
		return m, err
	}
	m.Netem = netem(ctx)
	m.UV, err = firstLine(ctx, uv, "--version")
	return m, err
}

// netem asks the kernel for a delay in a network namespace of the question's own, and returns what it says, "" = it can.
func netem(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "10ms").CombinedOutput()
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return cmp.Or(line, err.Error())
}

// release is the numbers of a kernel's release; what follows them is its builder's.
func release(text string) string { return regexp.MustCompile(`^[0-9.]*[0-9]`).FindString(text) }

// field is the value of the first line "key : value" of a file of /proc.
func field(file, key string) string {
	data, _ := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func firstLine(ctx context.Context, path string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	line = strings.ReplaceAll(line, path, filepath.Base(path)) // the registry names itself by its path
	return strings.TrimSpace(line), nil
}

// fileSystem names the file system of a directory by its magic number (statfs(2)).
func fileSystem(dir string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return "unknown"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs"}
	if n := names[s.Type]; n != "" {
		return n
	}
	return fmt.Sprintf("0x%x", s.Type)
}

// uvPath finds the program itself, which may stand behind a script in PATH.
func uvPath(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("uv"); err == nil && isELF(path) {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "python3", "-c", "import uv; print(uv.find_uv_bin())").Output()
	if path := strings.TrimSpace(string(out)); err == nil && isELF(path) {
		return path, nil
	}
	return "", errors.New("uv is not installed: run `make testbed-deps`")
}

func isELF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4)
	_, err = f.Read(head)
	return err == nil && string(head) == "\x7fELF"
}

// pushUV makes the image from which the Dockerfiles mount uv.
func pushUV(ctx context.Context, reg *testbed.Registry) error {
	path, err := uvPath(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mlbench-uv-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	archive := filepath.Join(dir, "uv.tar")
	tar := exec.CommandContext(ctx, "tar", "-C", filepath.Dir(path), "-cf", archive, "--mode=0755", "--owner=0", "--group=0", filepath.Base(path))
	if out, err := tar.CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, out)
	}
	layer, err := tarball.LayerFromFile(archive)
	if err != nil {
		return err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return err
	}
	ref, err := name.ParseReference(reg.Ref("bench/uv:1"))
	if err != nil {
		return err
	}
	return remote.Write(ref, img, remote.WithContext(ctx))
}
