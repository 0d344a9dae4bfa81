package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// engine is a program that runs containers on this machine: docker, or podman with docker's command line.
type engine struct{ program string } // its path

// findEngine returns docker, or podman where there is no docker that answers, nil where this machine has neither. Errors: fault.Output for a docker without its daemon.
func findEngine(ctx context.Context, e *env) (*engine, error) {
	docker, noDocker := lookPath("docker", e.get("PATH"))
	var silent error
	if noDocker == nil {
		if silent = pingDocker(ctx, docker, e.environ, "mlbuild run"); silent == nil {
			return &engine{docker}, nil
		}
	}
	if podman, err := lookPath("podman", e.get("PATH")); err == nil {
		return &engine{podman}, nil
	}
	return nil, silent
}

// name is how people call the engine.
func (g engine) name() string { return filepath.Base(g.program) }

// containerLine is the command line that runs an image with what its recipe needs, without the program.
func (g engine) containerLine(ref string, r *recipe.Recipe, stage string, streams, own []string) []string {
	line := append([]string{"run", "--rm"}, streams...)
	line = append(line, g.devices(r.Accelerator.Kind)...)
	for _, port := range portsOf(r, stage) {
		line = append(line, "-p", published(port))
	}
	return append(append(line, ref), own...)
}

// devices are the options by which a container sees the accelerators of this machine (docs/inputs.md).
func (g engine) devices(kind recipe.AcceleratorKind) []string {
	switch {
	case kind == recipe.CUDA && g.name() == "podman":
		return []string{"--device", "nvidia.com/gpu=all"}
	case kind == recipe.CUDA:
		return []string{"--gpus", "all"}
	case kind == recipe.ROCm:
		return []string{"--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "video", "--group-add", "render"}
	case kind == recipe.XPU:
		return []string{"--device", "/dev/dri", "--group-add", "render"}
	}
	return nil
}

// portsOf are the ports of a stage's image.
func portsOf(r *recipe.Recipe, stage string) []string {
	if stage == string(recipe.StageDev) && r.Dev != nil {
		return recipe.SortedUnique(append(append([]string{}, r.App.Ports...), r.Dev.Ports...))
	}
	return r.App.Ports
}

// streams are the options for a container's streams: a terminal where this program has one.
func (e *env) streams() []string {
	switch {
	case e.terminal() == nil:
		return nil
	case isTerminal(e.stdout):
		return []string{"-it"}
	}
	return []string{"-i"}
}

// run runs a command line of the engine with this program's streams, and returns how it ended: nil, or its exit code as an exited.
func (g engine) run(ctx context.Context, e *env, line []string) error {
	cmd := exec.CommandContext(ctx, g.program, line...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = e.environ, e.stdin, raw(e.stdout), raw(e.stderr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	taken, release := e.signals.take()
	defer release()
	if err := cmd.Start(); err != nil {
		return fault.New(fault.Output, "%s run: %w", g.name(), err)
	}
	ended := make(chan struct{})
	defer close(ended)
	shared := e.terminal() != nil || isTerminal(e.stdout) || isTerminal(e.stderr)
	go func() {
		for {
			select {
			case sig := <-taken:
				if sig != syscall.SIGINT || !shared { // Ctrl-C reaches every program of a terminal by itself
					_ = cmd.Process.Signal(sig)
				}
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.Exited() {
		return exited(failed.ExitCode())
	}
	if err != nil {
		return fault.New(fault.Output, "%s run: %w", g.name(), err)
	}
	return nil
}
