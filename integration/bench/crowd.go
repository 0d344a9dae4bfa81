package main

import (
	"context"
	"errors"
	"fmt"
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
	w, err := sklearnAPI()
	if err != nil {
		return err
	}
	cpu, err := b.prepare(ctx, w, 0)
	if err != nil {
		return err
	}
	w.profile = "gpu"
	w.name = "sklearn-api-gpu"
	gpu, err := b.prepare(ctx, w, 0)
	if err != nil {
		return err
	}
	both := *cpu
	both.base = &variant{name: "base", files: map[string]string{}}
	for _, p := range []*locked{cpu, gpu} {
		for name, data := range p.base.files {
			both.base.files[name] = data
		}
	}
	for range b.reps(1, 5) {
		for _, names := range []string{"cpu", "gpu", "cpu,gpu"} {
			l, err := b.newLane(ctx, mlbuild, &both, b.reg)
			if err != nil {
				return err
			}
			j := l.job(mlbuild)
			j.profile = names
			scenario := "profiles-" + strings.ReplaceAll(names, ",", "-")
			if err := b.timed(func() error { return b.build(ctx, scenario, l.p.name, j) }); err != nil {
				return err
			}
			if err := l.n.stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// parallel runs 1, 4 and 16 clients at once on one daemon, each with an application and a repository of its own.
func (b *bench) parallel(ctx context.Context) error {
	w, err := sklearnAPI()
	if err != nil {
		return err
	}
	p, err := b.prepare(ctx, w, 0)
	if err != nil {
		return err
	}
	lanes, err := b.cold(ctx, p, map[string]int{p2.id: 1, mlbuild.id: 1}, p2, mlbuild)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 4, 16} {
		err := b.rounds(b.reps(1, 3), own(lanes), func(_ int, t turn) error { return b.crowd(ctx, n, t) })
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

// logged runs a command and gives the end of its output if it fails.
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
	w, err := sklearnAPI()
	if err != nil {
		return err
	}
	p, err := b.prepare(ctx, w, 0)
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
	var turns []turn
	for _, c := range []contender{p2, mlbuild} {
		l, err := b.newLane(ctx, c, p, &reg)
		if err != nil {
			return err
		}
		turns = append(turns, turn{l, c})
		if c.id == mlbuild.id {
			turns = append(turns, turn{l, mlbuildNC})
		}
	}
	if err := b.settle(ctx, turns); err != nil {
		return err
	}
	name := fmt.Sprintf("%dms", rtt.Milliseconds())
	return errors.Join(
		b.rounds(b.reps(3, 7), turns, func(_ int, t turn) error { return t.build(ctx, "noop-"+name, t.c) }),
		b.appEdit(ctx, "app-edit-"+name, b.reps(3, 7), turns))
}
