package main

import "context"

// compiled is mlbuild's image with a layer of byte code above it.
var compiled = contender{id: "mlbuild-bytecode", file: "bytecode.Dockerfile", starts: "bytecode"}

// starts measures how long the images of all lanes take to import their packages, and then what byte code would gain: a step compiles the
// packages of mlbuild's image on its daemon, which has unpacked it by then, so that the seconds and bytes of its scenario are the layer's.
func (b *bench) starts(ctx context.Context, reps int, lanes []*lane) error {
	turns := own(lanes)
	if err := b.start(ctx, 0, turns); err != nil { // unpacks
		return err
	}
	for _, l := range lanes {
		if l.c.id != mlbuild.id {
			continue
		}
		c := *l
		c.tag = compiled.starts
		j := c.job(compiled)
		j.image = c.reg.Ref(c.repo + ":base")
		if err := b.timed(func() error { return b.build(ctx, "bytecode", c.p.name, j) }); err != nil {
			return err
		}
		turns = append(turns, turn{l, compiled})
	}
	return b.start(ctx, reps, turns)
}
