package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/integration/bench/results"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

const baseImage = "library/python:3.11-slim"

// bench is what all parts share: one registry, one wheel server, and the states of all daemons, which are removed at the very
// end only. On ext4 a mass delete slows the creation of files for minutes.
type bench struct {
	full    bool
	cache   string // locks and wheels, kept between runs
	work    string // projects and states of daemons, removed at the end
	mlbuild string // a copy of bin/mlbuild, so that a build of the repository meanwhile changes nothing
	reg     *testbed.Registry
	wheels  *wheelServer
	result  *results.Run
	nodes   []*node
	spent   time.Duration // since the start, preparation left out
	serial  int
}

func newBench(ctx context.Context, full bool) (_ *bench, err error) {
	b := &bench{full: full, result: &results.Run{Form: "short", Started: time.Now().UTC().Truncate(time.Second)}}
	if full {
		b.result.Form = "full"
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	root, err := testbed.Root()
	if err != nil {
		return nil, err
	}
	b.cache = filepath.Join(root, ".cache", "bench")
	if b.work, err = os.MkdirTemp("", "mlbench-"); err != nil {
		return nil, err
	}
	if b.mlbuild, err = b.copyTool("mlbuild"); err != nil {
		return nil, err
	}
	if b.wheels, err = startWheelServer(filepath.Join(b.cache, "wheels")); err != nil {
		return nil, err
	}
	if b.reg, err = testbed.StartRegistry(ctx, testbed.RegistryOptions{Bases: true}); err != nil {
		return nil, err
	}
	if b.result.Machine, err = machine(ctx, b.work); err != nil {
		return nil, err
	}
	return b, pushUV(ctx, b.reg)
}

func (b *bench) copyTool(name string) (string, error) {
	path, err := testbed.Tool(name)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(b.work, name)
	return copied, os.WriteFile(copied, data, 0o755)
}

// close stops what runs and removes what is not kept.
func (b *bench) close() error {
	var errs []error
	for _, n := range b.nodes {
		errs = append(errs, n.stop())
	}
	if b.reg != nil {
		errs = append(errs, b.reg.Stop())
	}
	if b.wheels != nil {
		b.wheels.stop()
	}
	if b.work != "" {
		errs = append(errs, removeStates(b.work))
	}
	return errors.Join(errs...)
}

// removeStates removes a directory, several of its entries at once: they hold hundreds of thousands of files.
func removeStates(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(4)
	for _, e := range entries {
		g.Go(func() error { return os.RemoveAll(filepath.Join(dir, e.Name())) })
	}
	return errors.Join(g.Wait(), os.RemoveAll(dir))
}

// timed counts what f takes to the run's own time.
func (b *bench) timed(f func() error) error {
	started := time.Now()
	err := f()
	b.spent += time.Since(started)
	return err
}

// reps is how often a scenario is repeated.
func (b *bench) reps(short, full int) int {
	if b.full {
		return full
	}
	return short
}
