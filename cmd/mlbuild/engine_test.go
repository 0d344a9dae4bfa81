package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestContainerLine: each accelerator's devices in the words of docker and of podman, the ports of the stage, the arguments last.
func TestContainerLine(t *testing.T) {
	of := func(kind recipe.AcceleratorKind) *recipe.Recipe {
		return &recipe.Recipe{
			Accelerator: recipe.Accelerator{Kind: kind}, App: recipe.App{Ports: []string{"8000/tcp", "9000/udp"}}, Dev: &recipe.Dev{Ports: []string{"8888/tcp"}},
		}
	}
	docker, podman := engine{"/usr/bin/docker"}, engine{"/usr/bin/podman"}
	for _, c := range []struct {
		engine  engine
		kind    recipe.AcceleratorKind
		stage   string
		streams []string
		own     []string
		want    string
	}{
		{docker, recipe.NoAccelerator, "", nil, nil, "run --rm -p 8000:8000 -p 9000:9000/udp app:1"},
		{docker, recipe.CUDA, "", []string{"-it"}, nil, "run --rm -it --gpus all -p 8000:8000 -p 9000:9000/udp app:1"},
		{podman, recipe.CUDA, "runtime", nil, []string{"python", "-c", "print(1)"}, "run --rm --device nvidia.com/gpu=all -p 8000:8000 -p 9000:9000/udp app:1 python -c 'print(1)'"},
		{docker, recipe.ROCm, "", nil, nil, "run --rm --device /dev/kfd --device /dev/dri --group-add video --group-add render -p 8000:8000 -p 9000:9000/udp app:1"},
		{podman, recipe.XPU, "", nil, nil, "run --rm --device /dev/dri --group-add render -p 8000:8000 -p 9000:9000/udp app:1"},
		{docker, recipe.NoAccelerator, "dev", []string{"-i"}, nil, "run --rm -i -p 8000:8000 -p 8888:8888 -p 9000:9000/udp app:1"},
	} {
		if got := commandLine(c.engine.containerLine("app:1", of(c.kind), c.stage, c.streams, c.own)); got != c.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", c.engine.name(), c.kind, got, c.want)
		}
	}
}

// TestFindEngine: docker if it answers, else podman; a docker that does not answer is a fault only where there is nothing else.
func TestFindEngine(t *testing.T) {
	program := func(dir, name, script string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	answers, silent, podman := program(t.TempDir(), "docker", "exit 0"), program(t.TempDir(), "docker", "exit 1"), program(t.TempDir(), "podman", "exit 1")
	for _, c := range []struct {
		path, want string
		fails      bool
	}{
		{answers + ":" + podman, "docker", false},
		{podman + ":" + answers, "docker", false},
		{silent + ":" + podman, "podman", false},
		{podman, "podman", false},
		{silent, "", true},
		{t.TempDir(), "", false},
	} {
		e, _, _ := testEnv("PATH=" + c.path)
		g, err := findEngine(context.Background(), e)
		name := ""
		if g != nil {
			name = g.name()
		}
		if name != c.want || fault.Is(err, fault.Output) != c.fails {
			t.Errorf("PATH=%s: %q, %v, want %q", c.path, name, err, c.want)
		}
	}
}
