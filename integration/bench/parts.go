package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/integration/bench/report"
)

// part is a piece of the run that can be asked for by name.
type part struct {
	name string
	full bool // in the full form only, unless asked for
	run  func(b *bench, ctx context.Context) error
}

var parts = []part{
	{name: "client", run: (*bench).client},
	{name: "sklearn", run: (*bench).sklearn},
	{name: "tensorflow", run: (*bench).tensorflow},
	{name: "torch", full: true, run: (*bench).torch},
	{name: "profiles", run: (*bench).profiles},
	{name: "scale", run: (*bench).scale},
	{name: "contexts", run: (*bench).contexts},
	{name: "parallel", full: true, run: (*bench).parallel},
	{name: "latency", full: true, run: (*bench).latency},
}

// known refuses names of parts that do not exist.
func known(only string) error {
	if only == "" {
		return nil
	}
	for _, name := range strings.Split(only, ",") {
		if !slices.Contains(report.Parts, name) {
			return fmt.Errorf("no part %q; there are %s", name, strings.Join(report.Parts, ", "))
		}
	}
	return nil
}

func (p part) wanted(only string, full bool) bool {
	if only != "" {
		return slices.Contains(strings.Split(only, ","), p.name)
	}
	return full || !p.full
}

// sklearn runs every contender. The slow ones show their cold time and one bump.
func (b *bench) sklearn(ctx context.Context) error {
	w, err := sklearnAPI()
	if err != nil {
		return err
	}
	if b.full {
		if err := b.tool(ctx, "pex"); err != nil {
			return err
		}
	}
	few := b.reps(1, 3)
	p, err := b.prepare(ctx, w, map[string]int{numpyBump: b.reps(1, 5), smallBump: few, addPackage: few, removePackage: few, secondProject: few})
	if err != nil {
		return err
	}
	n := b.reps(1, 5)
	reps, contenders := map[string]int{p1.id: few, p4.id: 1, p2.id: n, p3.id: n, mlbuild.id: n}, []contender{p1, p2, p3, mlbuild}
	if b.full {
		contenders = []contender{p1, p4, p2, p3, mlbuild}
	}
	lanes, err := b.cold(ctx, p, reps, contenders...)
	if err != nil {
		return err
	}
	if err := b.life(ctx, p, lanes); err != nil {
		return err
	}
	if err := b.starts(ctx, b.reps(2, 5), lanes); err != nil {
		return err
	}
	return b.changes(ctx, p, few, own(fast(lanes)))
}

// tensorflowDisk is what the daemons of the full form grow to in bytes, P2's by some 4 GB for every lock.
const tensorflowDisk = 48 << 30

// tensorflow runs the best Dockerfile and mlbuild, in the full form the usual Dockerfile once.
func (b *bench) tensorflow(ctx context.Context) error {
	rounds, n := map[string]int{numpyBump: 1}, b.reps(1, 3)
	if b.full {
		rounds = map[string]int{numpyBump: 3, smallBump: 1, addPackage: 1, removePackage: 1, secondProject: 1}
	}
	p, err := b.prepare(ctx, tensorflow(), rounds)
	if err != nil {
		return err
	}
	if b.full {
		if err := enough(b.work, tensorflowDisk); err != nil {
			return err
		}
		if err := b.coldOnce(ctx, p, p1); err != nil {
			return err
		}
	}
	lanes, err := b.cold(ctx, p, map[string]int{p2.id: n, mlbuild.id: n}, p2, mlbuild)
	if err != nil {
		return err
	}
	if err := b.life(ctx, p, lanes); err != nil {
		return err
	}
	if b.full {
		if err := b.starts(ctx, 3, lanes); err != nil {
			return err
		}
	}
	return b.changes(ctx, p, b.reps(1, 2), own(lanes))
}

// coldOnce builds from nothing and removes what that leaves.
func (b *bench) coldOnce(ctx context.Context, p *locked, c contender) error {
	lanes, err := b.cold(ctx, p, map[string]int{c.id: 1}, c)
	if err != nil {
		return err
	}
	return b.retire(p, lanes[0].n)
}

// changes are the scenarios in which P2 installs everything again, beside the bump of numpy.
func (b *bench) changes(ctx context.Context, p *locked, bases int, turns []turn) error {
	for _, step := range []func() error{
		func() error { return b.change(ctx, p, smallBump, turns) },
		func() error { return b.change(ctx, p, addPackage, turns) },
		func() error { return b.change(ctx, p, removePackage, turns) },
		func() error { return b.second(ctx, p, turns) },
		func() error { return b.baseBump(ctx, bases, turns) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// life takes the lanes through the edits of a project's life. The cheap scenarios also run the variations: P2 with a
// registry cache, mlbuild without its own.
func (b *bench) life(ctx context.Context, p *locked, lanes []*lane) error {
	quick, turns := b.reps(7, 9), varied(lanes)
	var cached []turn
	for _, l := range lanes {
		switch l.c.id {
		case p2.id:
			cached = append(cached, turn{l, p2min}, turn{l, p2max})
		case mlbuild.id:
			cached = append(cached, turn{l, mlbuild})
		}
	}
	for _, step := range []func() error{
		func() error { return b.quick(ctx, quick, turns) },
		func() error { return b.settle(ctx, cached) },
		func() error { return b.cachedBuilder(ctx, b.reps(3, 7), cached) },
		func() error { return b.change(ctx, p, numpyBump, own(lanes)) },
		func() error { return b.nodePull(ctx, p, own(lanes)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// quick are the scenarios that take less than a second.
func (b *bench) quick(ctx context.Context, reps int, turns []turn) error {
	if err := b.settle(ctx, turns); err != nil {
		return err
	}
	if err := b.noop(ctx, reps, turns); err != nil {
		return err
	}
	return b.appEdit(ctx, "app-edit", reps, turns)
}
