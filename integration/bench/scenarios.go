package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

// cold builds from nothing: an empty daemon and an empty repository each time. The lanes of the last round are kept.
func (b *bench) cold(ctx context.Context, p *locked, reps map[string]int, contenders ...contender) ([]*lane, error) {
	most := 0
	for _, n := range reps {
		most = max(most, n)
	}
	last := map[string]*lane{}
	for r := range most {
		for i := range contenders {
			c := contenders[i]
			if r%2 == 1 {
				c = contenders[len(contenders)-1-i]
			}
			if r >= reps[c.id] {
				continue
			}
			if old := last[c.id]; old != nil {
				if err := b.retire(p, old.n); err != nil {
					return nil, err
				}
			}
			l, err := b.newLane(ctx, c, p, b.reg)
			if err != nil {
				return nil, err
			}
			last[c.id] = l
			if err := b.timed(func() error { return l.build(ctx, "cold", c) }); err != nil {
				return nil, err
			}
		}
	}
	var lanes []*lane
	for _, c := range contenders {
		if l := last[c.id]; l != nil {
			lanes = append(lanes, l)
		}
	}
	return lanes, nil
}

// retire ends a daemon that is not needed again. The short form needs little disk: it leaves the states for later.
func (b *bench) retire(p *locked, n *node) error {
	if b.full {
		return b.reclaim(p.wheels, n)
	}
	return n.stop()
}

// settle fills the caches that a variation has of its own, so that it starts from the same state as its lane.
func (b *bench) settle(ctx context.Context, turns []turn) error {
	return b.rounds(1, turns, func(_ int, t turn) error { return t.build(ctx, "", t.c) })
}

func (b *bench) noop(ctx context.Context, reps int, turns []turn) error {
	return b.rounds(reps, turns, func(_ int, t turn) error { return t.build(ctx, "noop", t.c) })
}

func (b *bench) appEdit(ctx context.Context, scenario string, reps int, turns []turn) error {
	return b.rounds(reps, turns, func(_ int, t turn) error {
		if err := t.edit(); err != nil {
			return err
		}
		return t.build(ctx, scenario, t.c)
	})
}

// change gives the project another lock each round. Slow contenders take the first round only.
func (b *bench) change(ctx context.Context, p *locked, scenario string, turns []turn) error {
	variants := p.changes[scenario]
	return b.rounds(len(variants), turns, func(r int, t turn) error {
		if r > 0 && t.c.slow {
			return nil
		}
		if err := t.use(variants[r]); err != nil {
			return err
		}
		return t.build(ctx, scenario, t.c)
	})
}

// baseBump renews the base image each round.
func (b *bench) baseBump(ctx context.Context, reps int, turns []turn) error {
	for range reps {
		if _, err := b.reg.BumpBase(ctx, baseImage); err != nil {
			return err
		}
		if err := b.rounds(1, turns, func(_ int, t turn) error { return t.build(ctx, "base-bump", t.c) }); err != nil {
			return err
		}
	}
	return nil
}

// second builds other projects on the same daemon into other repositories: other application, one requirement more.
func (b *bench) second(ctx context.Context, p *locked, turns []turn) error {
	variants := p.changes[secondProject]
	return b.rounds(len(variants), turns, func(r int, t turn) error {
		l := *t.lane
		if err := errors.Join(l.project(), l.edit(), l.use(variants[r])); err != nil {
			return err
		}
		return l.build(ctx, secondProject, t.c)
	})
}

// cachedBuilder edits the application and builds on an empty daemon that has only the registry's cache.
func (b *bench) cachedBuilder(ctx context.Context, reps int, turns []turn) error {
	for r := range reps {
		for i := range turns {
			t := turns[(i+r)%len(turns)]
			n, err := b.newNode(ctx, t.reg)
			if err != nil {
				return err
			}
			l := *t.lane
			l.n = n
			if err := l.edit(); err != nil {
				return err
			}
			if err := b.timed(func() error { return l.build(ctx, "cached-builder", t.c) }); err != nil {
				return err
			}
			if err := n.stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// nodePull measures what the image after a bump costs on a node that ran the one before it.
func (b *bench) nodePull(ctx context.Context, p *locked, turns []turn) error {
	variants := p.changes[numpyBump]
	for r, v := range variants[:min(b.reps(1, 3), len(variants))] {
		for _, t := range turns {
			if r > 0 && t.c.slow {
				continue
			}
			n, err := b.pull(ctx, v, t)
			if err != nil {
				return err
			}
			if err := b.retire(p, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// pull runs the image before the bump on an empty daemon, and then measures the one after it: pull, unpack, start.
func (b *bench) pull(ctx context.Context, v *variant, t turn) (*node, error) {
	n, err := b.newNode(ctx, b.reg)
	if err != nil {
		return nil, err
	}
	if err := runImage(ctx, n, b.reg.Ref(t.repo+":base"), "true"); err != nil {
		return nil, err
	}
	s := results.Sample{Workload: t.p.name, Scenario: "node-pull", Contender: t.c.id}
	pull := func() error { return runImage(ctx, n, b.reg.Ref(t.repo+":"+v.name), "true") }
	if err := b.timed(func() error { return b.around(n, &s, pull) }); err != nil {
		return nil, err
	}
	s.Traffic = results.Count(b.reg.Log(), nil)
	b.keep(s)
	return n, nil
}

// start measures how long the image takes to import its packages in a fresh container as uid 1000, as Python itself counts it.
func (b *bench) start(ctx context.Context, reps int, turns []turn) error {
	script := func(w workload) string {
		return "import time; t = time.perf_counter(); import " + w.imports + "; print(time.perf_counter() - t)"
	}
	return b.rounds(reps+1, turns, func(r int, t turn) error {
		ref := b.reg.Ref(t.repo + ":" + cmp.Or(t.c.starts, "base"))
		s := results.Sample{Workload: t.p.name, Scenario: "import", Contender: t.c.id}
		out, err := t.n.d.RunImage(ctx, ref, "python", "-c", script(t.p.workload))
		if err != nil {
			return err
		}
		if s.Seconds, err = strconv.ParseFloat(strings.TrimSpace(out.Stdout), 64); err != nil {
			return fmt.Errorf("import in %s: %w\n%s", ref, err, out.Stderr)
		}
		if r > 0 { // the first one unpacks the image
			b.keep(s)
		}
		return nil
	})
}

// runImage runs an image's command and wants it to succeed.
func runImage(ctx context.Context, n *node, ref string, args ...string) error {
	out, err := n.d.RunImage(ctx, ref, args...)
	if err == nil && out.Exit != 0 {
		err = fmt.Errorf("%s in %s: status %d\n%s", args[0], ref, out.Exit, out.Stderr)
	}
	return err
}

// around measures what this process itself asks of a daemon.
func (b *bench) around(n *node, s *results.Sample, f func() error) error {
	b.reg.Reset()
	before, err := n.begin()
	if err != nil {
		return err
	}
	started := time.Now()
	if err := f(); err != nil {
		return err
	}
	s.Seconds = time.Since(started).Seconds()
	return n.end(before, s)
}
