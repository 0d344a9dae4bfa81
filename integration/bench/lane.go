package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// lane is a contender at one workload: its daemon, its copy of the project, its repository.
type lane struct {
	b    *bench
	c    contender
	p    *locked
	n    *node
	dir  string
	reg  *testbed.Registry // where its images go; the wire may be slower than to bench.reg
	repo string
	tag  string
}

// newLane gives a contender a fresh copy of the project, a new repository and an empty daemon.
func (b *bench) newLane(ctx context.Context, c contender, p *locked, reg *testbed.Registry) (*lane, error) {
	n, err := b.newNode(ctx, reg)
	if err != nil {
		return nil, err
	}
	l := &lane{b: b, c: c, p: p, n: n, reg: reg, tag: "base"}
	return l, l.project()
}

// project makes the copy and names the repository after it.
func (l *lane) project() error {
	l.b.serial++
	l.repo = fmt.Sprintf("bench/%s-%s-%d", l.p.name, l.c.id, l.b.serial)
	l.dir = filepath.Join(l.b.work, filepath.Base(l.repo))
	return l.p.write(l.dir, l.p.base)
}

// job is the lane's next build, with the options of one of its contender's variations.
func (l *lane) job(c contender) job {
	return job{
		c: c, w: l.p.workload, n: l.n, dir: l.dir,
		ref: l.reg.Ref(l.repo + ":" + l.tag), cache: l.reg.Ref(l.repo + ":" + c.id),
	}
}

func (l *lane) build(ctx context.Context, scenario string, c contender) error {
	return l.b.build(ctx, scenario, l.p.name, l.job(c))
}

// edit changes the application in a way that no build has seen.
func (l *lane) edit() error {
	l.b.serial++
	return l.p.touch(l.dir, l.b.serial)
}

// use lays another variant's lock over the project.
func (l *lane) use(v *variant) error {
	l.tag = v.name
	return writeFiles(l.dir, v.files)
}

// turn is a lane with one of its contender's variations.
type turn struct {
	*lane
	c contender
}

// own are the lanes, each as its contender.
func own(lanes []*lane) []turn {
	var all []turn
	for _, l := range lanes {
		all = append(all, turn{l, l.c})
	}
	return all
}

// fast are the lanes of contenders that are not slow.
func fast(lanes []*lane) []*lane {
	return slices.DeleteFunc(slices.Clone(lanes), func(l *lane) bool { return l.c.slow })
}

// varied are the lanes as themselves and, of P2 and mlbuild, with and without a registry cache.
func varied(lanes []*lane) []turn {
	all := own(lanes)
	for _, l := range lanes {
		switch l.c.id {
		case p2.id:
			all = append(all, turn{l, p2min})
		case mlbuild.id:
			all = append(all, turn{l, mlbuildNC})
		}
	}
	return all
}

// rounds interleaves: every turn once, reps times, the order reversed every other time.
func (b *bench) rounds(reps int, turns []turn, f func(round int, t turn) error) error {
	return b.timed(func() error {
		for r := range reps {
			for i := range turns {
				t := turns[i]
				if r%2 == 1 {
					t = turns[len(turns)-1-i]
				}
				if err := f(r, t); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
