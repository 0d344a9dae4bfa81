package main

import (
	"context"
	"errors"
	"slices"
	"strings"
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
	{name: "profiles", run: (*bench).profiles},
	{name: "scale", run: (*bench).scale},
	{name: "contexts", run: (*bench).contexts},
	{name: "torch", full: true, run: (*bench).torch},
	{name: "parallel", full: true, run: (*bench).parallel},
	{name: "latency", full: true, run: (*bench).latency},
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func (p part) wanted(only string, full bool) bool {
	if only != "" {
		return slices.Contains(strings.Split(only, ","), p.name)
	}
	return full || !p.full
}

// sklearn runs every contender.
func (b *bench) sklearn(ctx context.Context) error {
	w, err := sklearnAPI()
	if err != nil {
		return err
	}
	p, err := b.prepare(ctx, w, b.reps(2, 5))
	if err != nil {
		return err
	}
	n := b.reps(2, 5)
	lanes, err := b.cold(ctx, p, map[string]int{p1.id: b.reps(1, 3), p2.id: n, p3.id: n, mlbuild.id: n}, p1, p2, p3, mlbuild)
	if err != nil {
		return err
	}
	if err := b.life(ctx, p, lanes); err != nil {
		return err
	}
	if err := b.start(ctx, b.reps(1, 5), own(lanes)); err != nil {
		return err
	}
	quick := lanes[1:] // P1 installs everything again: its cold time is seen
	if b.full {
		quick = lanes
	}
	if err := b.baseBump(ctx, b.reps(1, 3), own(quick)); err != nil {
		return err
	}
	return b.second(ctx, b.reps(1, 3), own(quick))
}

// tensorflow runs the best Dockerfile and mlbuild, and the usual Dockerfile once.
func (b *bench) tensorflow(ctx context.Context) error {
	p, err := b.prepare(ctx, tensorflow(), b.reps(2, 3))
	if err != nil {
		return err
	}
	return b.large(ctx, p, map[string]int{p1.id: 1, p2.id: b.reps(2, 3), mlbuild.id: b.reps(2, 3)})
}

func (b *bench) torch(ctx context.Context) error {
	p, err := b.prepare(ctx, torch(), 3)
	if err != nil {
		return err
	}
	return b.large(ctx, p, map[string]int{p1.id: 1, p2.id: 3, mlbuild.id: 3})
}

func (b *bench) large(ctx context.Context, p *locked, reps map[string]int) error {
	lanes, err := b.cold(ctx, p, reps, p1, p2, mlbuild)
	if err != nil {
		return err
	}
	if err := lanes[0].n.stop(); err != nil { // P1 is seen once, cold
		return err
	}
	if err := b.life(ctx, p, lanes[1:]); err != nil {
		return err
	}
	turns := own(lanes[1:])
	if err := b.baseBump(ctx, b.reps(1, 3), turns); err != nil || !b.full {
		return err
	}
	return errors.Join(b.second(ctx, 3, turns), b.start(ctx, 3, turns))
}

// life takes the lanes through the edits of a project's life. The cheap scenarios also run the variations: P2 with a
// registry cache, mlbuild without its own.
func (b *bench) life(ctx context.Context, p *locked, lanes []*lane) error {
	quick, turns := b.reps(7, 9), own(lanes)
	var cached []turn
	for _, l := range lanes {
		switch l.c.id {
		case p2.id:
			turns = append(turns, turn{l, p2min})
			cached = append(cached, turn{l, p2min}, turn{l, p2max})
		case mlbuild.id:
			turns = append(turns, turn{l, mlbuildNC})
			cached = append(cached, turn{l, mlbuild})
		}
	}
	if err := b.settle(ctx, turns); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return b.noop(ctx, quick, turns) },
		func() error { return b.appEdit(ctx, "app-edit", quick, turns) },
		func() error { return b.settle(ctx, cached) },
		func() error { return b.cachedBuilder(ctx, b.reps(3, 7), cached) },
		func() error { return b.bump(ctx, p.bumps, own(lanes)) },
		func() error { return b.nodePull(ctx, p.bumps[0], own(lanes)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
