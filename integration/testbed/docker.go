package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/cap"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Docker is a real dockerd with a state of its own. It leaves the machine's firewall alone.
type Docker struct {
	dir  string
	proc *process
}

// StartDocker starts the distribution's dockerd and returns when it answers.
func StartDocker(ctx context.Context) (*Docker, error) {
	if os.Getuid() != 0 {
		return nil, &MissingError{What: "dockerd needs root", Remedy: "sudo make test"}
	}
	for _, tool := range []string{"docker", "runc", "containerd"} {
		if _, err := systemTool(tool); err != nil {
			return nil, err
		}
	}
	bin, err := systemTool("dockerd")
	if err != nil {
		return nil, err
	}
	dir, err := tempDir("dkr")
	if err != nil {
		return nil, err
	}
	d := &Docker{dir: dir}
	if err := d.start(ctx, bin); err != nil {
		_ = d.Stop()
		return nil, err
	}
	return d, nil
}

func (d *Docker) start(ctx context.Context, bin string) error {
	// An empty config file, so that the machine's own cannot contradict the flags.
	config := filepath.Join(d.dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}"), 0o644); err != nil {
		return err
	}
	runtime, err := d.runtime()
	if err != nil {
		return err
	}
	d.proc, err = startProcess(os.Environ(), filepath.Join(d.dir, "log"), bin,
		"--config-file", config, "--host", d.Host(), "--iptables=false", "--bridge=none",
		"--data-root", filepath.Join(d.dir, "data"), "--exec-root", filepath.Join(d.dir, "exec"),
		"--pidfile", filepath.Join(d.dir, "pid"), "--add-runtime", "testbed="+runtime, "--default-runtime", "testbed")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return d.proc.await(ctx, func(ctx context.Context) error {
		_, err := d.Run(ctx, nil, "docker", "version")
		return err
	})
}

// runtime is runc or, on a machine whose root lacks capabilities (some virtual machines and containers do), a
// script around it: dockerd gives privileged containers every capability that the kernel knows, and runc
// cannot hand out what it has not.
func (d *Docker) runtime() (string, error) {
	runc, err := systemTool("runc")
	if err != nil {
		return "", err
	}
	have, err := cap.Current()
	if err != nil {
		return "", err
	}
	var edits strings.Builder
	for _, c := range cap.Known() {
		if !slices.Contains(have, c) {
			fmt.Fprintf(&edits, `s/"%s",//g;s/,"%s"//g;`, c, c)
		}
	}
	if edits.Len() == 0 {
		return runc, nil
	}
	script := fmt.Sprintf(`#!/bin/sh
previous=
for a in "$@"; do
	case $previous in
	--bundle) sed -i '%[1]s' "$a/config.json" ;;
	--process) sed -i '%[1]s' "$a" ;;
	esac
	previous=$a
done
exec %[2]s "$@"
`, edits.String(), runc)
	path := filepath.Join(d.dir, "runc")
	return path, os.WriteFile(path, []byte(script), 0o755)
}

// NewDocker starts a dockerd that ends with the test; its log is shown if the test failed.
func NewDocker(t testing.TB) *Docker {
	t.Helper()
	Require(t)
	d, err := StartDocker(t.Context())
	if err != nil {
		SkipMissing(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("dockerd's log, last lines:\n%s", lastLines(d.proc.output(), 40))
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Host is the value of DOCKER_HOST that reaches the daemon.
func (d *Docker) Host() string { return "unix://" + filepath.Join(d.dir, "s") }

// Run runs a client (docker, docker-compose) against the daemon with env added to the environment, and
// gives its stdout. A failure's error holds its stderr.
func (d *Docker) Run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	bin, err := systemTool(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(append(os.Environ(), "DOCKER_HOST="+d.Host(), "DOCKER_CONTEXT="), env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out.String(), nil
}

// Load puts an image into the daemon under a reference.
func (d *Docker) Load(ctx context.Context, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.Write(tag, img, w)) }()
	cmd := exec.CommandContext(ctx, "docker", "load", "--quiet")
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+d.Host(), "DOCKER_CONTEXT=")
	cmd.Stdin = r
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker load %s: %w\n%s", ref, err, out)
	}
	return nil
}

// Stop ends the daemon with its containers and removes its state.
func (d *Docker) Stop() error {
	if d.proc != nil {
		d.proc.stop(20 * time.Second)
	}
	return RemoveAll(d.dir)
}

// BuildKitImage is a stand-in for moby/buildkit: the buildkitd and buildctl of bin/ and this machine's runc
// on the stand-in Debian of the registry.
func BuildKitImage(ctx context.Context, reg *Registry) (v1.Image, error) {
	programs := map[string]string{}
	for _, tool := range []string{"buildkitd", "buildctl"} {
		path, err := Tool(tool)
		if err != nil {
			return nil, err
		}
		programs["usr/bin/"+tool] = path
	}
	runc, err := systemTool("runc")
	if err != nil {
		return nil, err
	}
	programs["usr/bin/runc"] = runc
	return programImage(ctx, reg, programs, v1.Config{
		Env: []string{pathEnv}, Entrypoint: []string{"buildkitd"},
	})
}

// RegistryImage is a stand-in for registry:3, with the command that the real one has.
func RegistryImage(ctx context.Context, reg *Registry) (v1.Image, error) {
	path, err := Tool("registry")
	if err != nil {
		return nil, err
	}
	return programImage(ctx, reg, map[string]string{"usr/bin/registry": path}, v1.Config{
		Env: []string{pathEnv}, Entrypoint: []string{"/entrypoint.sh"}, Cmd: []string{"/etc/distribution/config.yml"},
	},
		file{name: "entrypoint.sh", mode: 0o755, data: "#!/bin/sh\nexec registry serve \"$@\"\n"},
		file{name: "etc/distribution/config.yml", mode: 0o644, data: "version: 0.1\n" +
			"storage:\n  filesystem: {rootdirectory: /var/lib/registry}\nhttp: {addr: ':5000'}\n"},
		// The real image is Alpine, whose busybox has wget.
		file{name: "usr/bin/wget", mode: 0o755, data: "#!/usr/bin/python3\n" +
			"import sys, urllib.request\nurllib.request.urlopen(sys.argv[-1], timeout=4)\n"},
	)
}

// programImage is the stand-in Debian with programs (path in the image → path here) and small files.
func programImage(ctx context.Context, reg *Registry, programs map[string]string, cfg v1.Config, files ...file) (v1.Image, error) {
	img, err := reg.Pull(ctx, "library/python:3.11-slim", "")
	if err != nil {
		return nil, err
	}
	for path, source := range programs {
		data, err := os.ReadFile(source)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: path, mode: 0o755, data: string(data)})
	}
	l, err := smallLayer(files...)
	if err != nil {
		return nil, err
	}
	if img, err = mutate.AppendLayers(img, l); err != nil {
		return nil, err
	}
	return mutate.Config(img, cfg)
}
