package main

import "context"

// torchDisk is what the largest life of a contender needs in bytes: P2 has every file in uv's cache, in the stage and in the copy, in the
// stage once more after a bump of the base, and the compressed layers here and in the registry.
const torchDisk = 42 << 30

// round is one turn of the torch workload: each contender lives from nothing to the change of the lock.
type round struct {
	scenario   string
	v          *variant
	contenders []contender
}

// torch is the workload with CUDA. Two daemons of P2 would fill a disk: contenders live one after the other, P2 and mlbuild in turns, each
// with a daemon and a registry of its own, which are removed before the next. The short form has one round without P1.
func (b *bench) torch(ctx context.Context) error {
	p, err := b.prepare(ctx, torch(), map[string]int{numpyBump: 2, torchBump: 1})
	if err != nil {
		return err
	}
	if err := enough(b.work, torchDisk); err != nil {
		return err
	}
	n := p.changes[numpyBump]
	rounds := []round{
		{numpyBump, n[0], []contender{p1, p2, mlbuild}},
		{torchBump, p.changes[torchBump][0], []contender{mlbuild, p2}},
		{numpyBump, n[len(n)-1], []contender{p2, mlbuild}},
	}
	if !b.full {
		rounds = rounds[:1]
		rounds[0].contenders = []contender{p2, mlbuild}
	}
	for i, r := range rounds {
		for _, c := range r.contenders {
			if err := b.torchLife(ctx, p, c, r, i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// torchLife takes one contender from nothing through a round; with run it also shows what the image costs a node and how it starts.
func (b *bench) torchLife(ctx context.Context, p *locked, c contender, r round, run bool) error {
	if err := b.newRegistry(ctx); err != nil {
		return err
	}
	lanes, err := b.cold(ctx, p, map[string]int{c.id: 1}, c)
	if err != nil {
		return err
	}
	if c.id != p1.id {
		if err := b.torchEdits(ctx, lanes, r); err != nil {
			return err
		}
	}
	if err := b.reclaim(p.wheels, b.nodes...); err != nil || !run || c.id == p1.id {
		return err
	}
	l := *lanes[0]
	if l.n, err = b.pull(ctx, r.v, turn{&l, c}); err != nil {
		return err
	}
	if err := b.starts(ctx, b.reps(1, 3), []*lane{&l}); err != nil {
		return err
	}
	return b.reclaim(p.wheels, b.nodes...)
}

// torchEdits are the edits of one contender's life. What P2 made for the first lock is pruned before the other, which has no use for it.
func (b *bench) torchEdits(ctx context.Context, lanes []*lane, r round) error {
	if err := b.quick(ctx, b.reps(1, 3), varied(lanes)); err != nil {
		return err
	}
	if err := b.baseBump(ctx, 1, own(lanes)); err != nil {
		return err
	}
	l := lanes[0]
	if l.c.id == p2.id {
		if err := b.forget(ctx, l.n, l.p.wheels); err != nil {
			return err
		}
	}
	if err := l.use(r.v); err != nil {
		return err
	}
	return b.timed(func() error { return l.build(ctx, r.scenario, l.c) })
}
