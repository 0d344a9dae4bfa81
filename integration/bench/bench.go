package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mlbuild/mlbuild/integration/bench/results"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

const baseImage = "library/python:3.11-slim"

// bench is what all parts share: a registry, a wheel server, and the daemons with their states.
type bench struct {
	full        bool
	prepareOnly bool   // measure nothing
	cache       string // locks and wheels, kept between runs
	work        string // projects and states of daemons, removed at the end
	mlbuild     string // a copy of bin/mlbuild, so that a build of the repository meanwhile changes nothing
	version     string // of mlbuild
	machine     results.Machine
	reg         *testbed.Registry
	wheels      *wheelServer
	nodes       []*node // those whose states exist
	serial      int
	// Of the part that runs:
	part    string
	loads   []results.Load
	samples []results.Sample
	spent   time.Duration // preparation left out
}

func newBench(ctx context.Context, full, prepareOnly bool) (_ *bench, err error) {
	b := &bench{full: full, prepareOnly: prepareOnly}
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
	if b.machine, err = machine(ctx, b.work); err != nil {
		return nil, err
	}
	if b.version, err = firstLine(ctx, b.mlbuild, "version"); err != nil {
		return nil, err
	}
	return b, b.newRegistry(ctx)
}

// newRegistry starts a registry that holds the bases alone, in the place of the one before.
func (b *bench) newRegistry(ctx context.Context) (err error) {
	if b.reg != nil {
		if err := b.reg.Stop(); err != nil {
			return err
		}
	}
	if b.reg, err = testbed.StartRegistry(ctx, testbed.RegistryOptions{Bases: true}); err != nil {
		return err
	}
	return pushUV(ctx, b.reg)
}

// runPart runs a part and returns what it measured. The states that it leaves are removed.
func (b *bench) runPart(ctx context.Context, p part) (results.Part, error) {
	b.part, b.loads, b.samples, b.spent = p.name, nil, nil, 0
	done := results.Part{Name: p.name, Form: "short", Started: time.Now().UTC().Truncate(time.Second), Mlbuild: b.version}
	if b.full {
		done.Form = "full"
	}
	err := p.run(b, ctx)
	done.Seconds = b.spent.Seconds()
	if errors.Is(err, errPrepared) {
		err = nil
	}
	return done, errors.Join(err, b.reclaim(nil, b.nodes...))
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

// timed counts what f takes to the part's own time.
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
