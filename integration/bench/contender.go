package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

//go:embed dockerfiles
var dockerfiles embed.FS

// contender is one way to build an image.
type contender struct {
	id     string
	file   string // Dockerfile, "" = mlbuild
	gzip   bool
	slow   bool   // long to install, and from the start for any change of the lock: its long scenarios are not repeated
	starts string // tag of the image that it starts, "" = the first one
	// cache is the mode of the registry cache, read and written: "min" or "max" for a Dockerfile, "" = none. mlbuild has one of
	// its own unless cache is "none".
	cache string
}

var (
	p1        = contender{id: "p1", file: "p1.Dockerfile", gzip: true, slow: true}
	p2        = contender{id: "p2", file: "p2.Dockerfile"}
	p3        = contender{id: "p3", file: "p3.Dockerfile"}
	p4        = contender{id: "p4", file: "p4.Dockerfile", slow: true}
	p2min     = contender{id: "p2-cache-min", file: "p2.Dockerfile", cache: "min"}
	p2max     = contender{id: "p2-cache-max", file: "p2.Dockerfile", cache: "max"}
	mlbuild   = contender{id: "mlbuild"}
	mlbuildNC = contender{id: "mlbuild-nocache", cache: "none"}
)

// job is one build: a contender's client with its arguments.
type job struct {
	c       contender
	w       workload
	n       *node
	dir     string // the project
	ref     string // where the image goes
	cache   string // reference of a Dockerfile's registry cache
	image   string // what a Dockerfile may build upon, as its argument IMAGE
	wheels  string // URL of the wheel server
	profile string // "" = the workload's own
	bin     string // mlbuild, as it was when the run began
}

// command is the client's command line.
func (j job) command(ctx context.Context) (*exec.Cmd, error) {
	if j.c.file == "" {
		return j.mlbuild(ctx), nil
	}
	return j.buildctl(ctx)
}

func (j job) mlbuild(ctx context.Context) *exec.Cmd {
	profile := j.profile
	if profile == "" {
		profile = j.w.profile
	}
	args := []string{"build", j.dir, "--profile", profile, "--checks=none", "--tag", j.ref, "--push", "--progress", "plain", "--addr", j.n.d.Addr()} // a Dockerfile runs nothing of what it made
	if j.c.cache == "none" {
		args = append(args, "--no-own-cache")
	}
	return exec.CommandContext(ctx, j.bin, args...)
}

func (j job) buildctl(ctx context.Context) (*exec.Cmd, error) {
	path, err := testbed.Tool("buildctl")
	if err != nil {
		return nil, err
	}
	docker := filepath.Join(filepath.Dir(j.dir), filepath.Base(j.dir)+".dockerfiles")
	if err := writeDockerfile(docker, j.c.file, j.w); err != nil {
		return nil, err
	}
	output := "type=image,name=" + j.ref + ",push=true,oci-mediatypes=true,compression=zstd"
	if j.c.gzip {
		output = "type=image,name=" + j.ref + ",push=true,oci-mediatypes=true,compression=gzip"
	}
	args := []string{"--addr", j.n.d.Addr(), "build", "--progress", "plain", "--frontend", "dockerfile.v0",
		"--local", "context=" + j.dir, "--local", "dockerfile=" + docker, "--opt", "filename=" + j.c.file,
		"--opt", "build-arg:WHEELS=" + j.wheels + "/", "--output", output}
	if j.image != "" {
		args = append(args, "--opt", "build-arg:IMAGE="+j.image)
	}
	if j.c.cache != "" {
		args = append(args, "--import-cache", "type=registry,ref="+j.cache,
			"--export-cache", "type=registry,ref="+j.cache+",compression=zstd,mode="+j.c.cache)
	}
	return exec.CommandContext(ctx, path, args...), nil
}

// writeDockerfile fills in what the workload copies and runs.
func writeDockerfile(dir, file string, w workload) error {
	t, err := template.ParseFS(dockerfiles, "dockerfiles/"+file)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any{"Copy": w.copy, "Command": w.commandJSON()}); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, file)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b.Bytes()) {
		return nil
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
