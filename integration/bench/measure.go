package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

// build runs a job and keeps the sample under the scenario; an empty scenario measures nothing.
func (b *bench) build(ctx context.Context, scenario, workload string, j job) error {
	j.wheels, j.bin = b.wheels.url, b.mlbuild
	cmd, err := j.command(ctx)
	if err != nil {
		return err
	}
	s := results.Sample{Workload: workload, Scenario: scenario, Contender: j.c.id}
	if err := b.measure(cmd, j.n, &s); err != nil {
		return fmt.Errorf("%s %s by %s: %w", workload, scenario, j.c.id, err)
	}
	log := b.reg.Log()
	layers, err := imageLayers(ctx, b.lastRef(j), &s)
	if err != nil {
		return err
	}
	wheels := s.Wheels
	s.Traffic = results.Count(log, layers)
	s.Wheels = wheels
	b.keep(s)
	return nil
}

// lastRef is the image that the job pushed: of several profiles the last.
func (b *bench) lastRef(j job) string {
	ref := strings.Replace(j.ref, strings.SplitN(j.ref, "/", 2)[0], b.reg.Addr, 1)
	if i := strings.LastIndexByte(j.profile, ','); i >= 0 {
		ref += "-" + j.profile[i+1:]
	}
	return ref
}

func (b *bench) keep(s results.Sample) {
	if s.Scenario == "" {
		return
	}
	s.Part = b.part
	b.samples = append(b.samples, s)
	say("%-12s %-15s %-16s %7.2f s  cpu %6.2f s  up %9.3f MB  %4d requests", s.Workload, s.Scenario, s.Contender,
		s.Seconds, s.DaemonCPU+s.ClientCPU, float64(s.Up)/1e6, s.Requests)
}

// measure runs a client. What others have written is flushed before, so that nobody pays for it.
func (b *bench) measure(cmd *exec.Cmd, n *node, s *results.Sample) error {
	out, err := os.Create(filepath.Join(b.work, "client.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	syscall.Sync()
	b.reg.Reset()
	b.wheels.sent.Store(0)
	before, err := n.begin()
	if err != nil {
		return err
	}
	u, err := timedRun(cmd, out, filepath.Join(b.work, "usage.json"))
	if err != nil {
		log, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%w\n%s", err, tail(string(log), 30))
	}
	s.Seconds, s.ClientCPU, s.ClientRSS = u.Seconds, u.CPU, u.RSS
	s.Wheels = b.wheels.sent.Load()
	return n.end(before, s)
}

// begin returns the daemon's CPU seconds so far; a nil node has none.
func (n *node) begin() (float64, error) {
	if n == nil {
		return 0, nil
	}
	if err := n.forgetPeak(); err != nil {
		return 0, err
	}
	return n.cpu()
}

func (n *node) end(before float64, s *results.Sample) error {
	if n == nil {
		return nil
	}
	after, err := n.cpu()
	if err != nil {
		return err
	}
	s.DaemonCPU = after - before
	s.DaemonRSS, err = n.peak()
	return err
}

// imageLayers reads back what was pushed: its layers and its size.
func imageLayers(ctx context.Context, image string, s *results.Sample) (map[string]bool, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	layers := map[string]bool{}
	s.ImageBytes = m.Config.Size
	for _, l := range m.Layers {
		layers[l.Digest.String()] = true
		s.ImageBytes += l.Size
	}
	return layers, nil
}

// tail is the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
