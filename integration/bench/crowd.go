package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

// profiles builds cpu and gpu together, and each alone, from nothing.
func (b *bench) profiles(ctx context.Context) error {
	both, err := b.bothProfiles(ctx)
	if err != nil {
		return err
	}
	for range b.reps(1, 5) {
		for _, names := range []string{"cpu", "gpu", "cpu,gpu"} {
			if err := b.profile(ctx, both, names); err != nil {
				return err
			}
		}
	}
	return nil
}

// bothProfiles is the sklearn-api workload with the locks of both profiles.
func (b *bench) bothProfiles(ctx context.Context) (*locked, error) {
	both := &locked{base: &variant{name: "base", files: map[string]string{}}}
	for _, name := range []string{"gpu", "cpu"} {
		p, err := b.small(ctx, name)
		if errors.Is(err, errPrepared) {
			continue
		}
		if err != nil {
			return nil, err
		}
		both.workload, both.wheels = p.workload, append(both.wheels, p.wheels...)
		maps.Copy(both.base.files, p.base.files)
	}
	if b.prepareOnly {
		return nil, errPrepared
	}
	return both, nil
}

// profile builds some profiles on an empty daemon.
func (b *bench) profile(ctx context.Context, p *locked, names string) error {
	l, err := b.newLane(ctx, mlbuild, p, b.reg)
	if err != nil {
		return err
	}
	j := l.job(mlbuild)
	j.profile = names
	scenario := "profiles-" + strings.ReplaceAll(names, ",", "-")
	if err := b.timed(func() error { return b.build(ctx, scenario, p.name, j) }); err != nil {
		return err
	}
	return b.retire(p, l.n)
}

// small is the sklearn-api workload with its lock for a profile, without changes.
func (b *bench) small(ctx context.Context, profile string) (*locked, error) {
	w, err := sklearnAPI()
	if err != nil {
		return nil, err
	}
	if w.profile = profile; profile != "cpu" {
		w.name += "-" + profile
	}
	return b.prepare(ctx, w, nil)
}

// parallel runs 1, 4 and 16 clients at once on one daemon, each with an application and a repository of its own.
func (b *bench) parallel(ctx context.Context) error {
	p, err := b.small(ctx, "cpu")
	if err != nil {
		return err
	}
	lanes, err := b.cold(ctx, p, map[string]int{p2.id: 1, mlbuild.id: 1}, p2, mlbuild)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 4, 16} {
		err := b.rounds(b.reps(1, 7), own(lanes), func(_ int, t turn) error { return b.crowd(ctx, n, t) })
		if err != nil {
			return err
		}
	}
	return nil
}

// crowd measures until the last of n clients is done.
func (b *bench) crowd(ctx context.Context, n int, t turn) error {
	var cmds []*exec.Cmd
	for range n {
		l := *t.lane
		if err := errors.Join(l.project(), l.edit()); err != nil {
			return err
		}
		j := l.job(t.c)
		j.wheels, j.bin = b.wheels.url, b.mlbuild
		cmd, err := j.command(ctx)
		if err != nil {
			return err
		}
		cmds = append(cmds, cmd)
	}
	s := results.Sample{Workload: t.p.name, Scenario: fmt.Sprintf("parallel-%d", n), Contender: t.c.id}
	err := b.around(t.n, &s, func() error {
		var g errgroup.Group
		for i, cmd := range cmds {
			g.Go(func() error { return b.logged(cmd, fmt.Sprintf("crowd%d.log", i)) })
		}
		return g.Wait()
	})
	if err != nil {
		return err
	}
	for _, cmd := range cmds {
		s.ClientCPU += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	s.Traffic = results.Count(b.reg.Log(), nil)
	b.keep(s)
	return nil
}

// logged runs a command and returns the end of its output if it fails.
func (b *bench) logged(cmd *exec.Cmd, name string) error {
	f, err := os.Create(filepath.Join(b.work, name))
	if err != nil {
		return err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(f.Name())
		return fmt.Errorf("%w\n%s", err, tail(string(log), 30))
	}
	return nil
}

// latency puts a distance between the daemon and the registry.
func (b *bench) latency(ctx context.Context) error {
	p, err := b.small(ctx, "cpu")
	if err != nil {
		return err
	}
	for _, rtt := range []time.Duration{20 * time.Millisecond, 50 * time.Millisecond} {
		if err := b.far(ctx, p, rtt); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) far(ctx context.Context, p *locked, rtt time.Duration) error {
	r, err := startRelay(b.reg.Addr, rtt)
	if err != nil {
		return err
	}
	defer r.stop()
	reg := *b.reg
	reg.Addr = r.addr
	var lanes []*lane
	for _, c := range []contender{p2, mlbuild} {
		l, err := b.newLane(ctx, c, p, &reg)
		if err != nil {
			return err
		}
		lanes = append(lanes, l)
	}
	turns := varied(lanes)
	if err := b.settle(ctx, turns); err != nil {
		return err
	}
	name := fmt.Sprintf("%dms", rtt.Milliseconds())
	return errors.Join(
		b.rounds(b.reps(3, 7), turns, func(_ int, t turn) error { return t.build(ctx, "noop-"+name, t.c) }),
		b.appEdit(ctx, "app-edit-"+name, b.reps(3, 7), turns))
}
