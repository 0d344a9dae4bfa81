package builder

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/worker/label"

	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/outline"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Planned is what one profile on one platform would build.
type Planned struct {
	Recipe *recipe.Recipe
	Wheels []pylock.Wheel      // to be laid down
	InBase []pylock.Wheel      // of the lock, which the base makes unnecessary
	System []buildlock.Package // the system packages, nil = none, or apt is to find them
	Graph  *llb.Graph
	Steps  []outline.Step // what building does, what comes first first
	Keys   []string       // of the graph's layers, see llb.Lineage
	Base   string         // the base by its digest
	CUDA   string
	// Env are the image's own variables, Interpreter the path of its Python: the recipe's, and what the packages and the base add to them.
	Env         []recipe.Pair
	Interpreter string
	Pruned      []Pruned
	Locked      bool
	From        string // lock that says the versions, pylock.gpu.toml or uv.lock; "" = they were chosen now
	Notes       []string
}

// Plan looks up and compiles every variant and builds nothing. portable leaves this run's session out of the graphs, so that another
// client can send them.
func (b *Builder) Plan(ctx context.Context, req Request, portable bool) ([]Planned, error) {
	if err := req.Unfit(); err != nil {
		return nil, err
	}
	run, err := b.start(ctx, req, purpose{plans: true, portable: portable})
	if err != nil {
		return nil, err
	}
	defer run.close()
	plans, errs := make([][]Planned, len(req.Variants)), make([]error, len(req.Variants))
	var wg sync.WaitGroup
	for i, v := range req.Variants {
		wg.Go(func() {
			errs[i] = run.ask(run.ctx, v, func(ctx context.Context, a lookup.Asker) (err error) {
				plans[i], err = run.plan(ctx, a, v)
				return err
			})
		})
	}
	wg.Wait()
	var all []Planned
	for _, p := range plans {
		all = append(all, p...)
	}
	return all, errors.Join(errs...)
}

func (b *build) plan(ctx context.Context, a lookup.Asker, v Variant) ([]Planned, error) {
	lock, err := b.usable(v)
	if err != nil {
		return nil, err
	}
	var all []Planned
	for _, r := range v.Recipes {
		c, err := b.compile(ctx, a, r, lock)
		if err != nil {
			return nil, err
		}
		steps, err := stepsOf(c.graph)
		if err != nil {
			return nil, err
		}
		planned := Planned{
			Steps: steps, Keys: c.graph.Lineage.Keys, Base: c.inputs.Base.Ref, Recipe: r, Wheels: c.found.Packages.All(), InBase: c.found.Packages.Runtime.Spared, Graph: c.graph,
			CUDA: cudaOf(r, c.found.Packages.Runtime.CUDA), Env: c.graph.Env, Interpreter: c.found.Base.Contents.Interpreter, Pruned: c.found.Packages.Runtime.Pruned, Locked: c.found.Locked,
			From: from(r, lock), Notes: append(slices.Clip(c.found.Notes), b.networkNotes(r)...),
		}
		if list := c.found.System.List; list != nil {
			planned.System = list.Packages
		}
		all = append(all, planned)
	}
	return all, nil
}

// cudaOf is the CUDA of an image for CUDA. Packages of an image for CPU that are named by a CUDA, such as an NCCL that the project allows, make it none.
func cudaOf(r *recipe.Recipe, brought string) string {
	if r.Accelerator.Kind != recipe.CUDA {
		return ""
	}
	return brought
}

// networkNotes says that the project's steps with network are in the network of the daemon's machine, where that is so: they reach what listens on its loopback addresses.
func (b *build) networkNotes(r *recipe.Recipe) []string {
	if len(b.daemon.Workers) == 0 || b.daemon.Workers[0].Labels[label.Network] != "host" {
		return nil
	}
	var names []string
	for _, s := range r.Steps() {
		if s.Network {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return nil
	}
	return []string{"with network, in the network namespace of the daemon's machine, whose own services they can reach: " + strings.Join(names, ", ")}
}

// stepsOf lists what making the image does, and what runs on it.
func stepsOf(g *llb.Graph) ([]outline.Step, error) {
	steps, err := outline.Steps(g.Definition)
	if err != nil || g.Tests == nil {
		return steps, err
	}
	tests, err := outline.Steps(g.Tests)
	for _, s := range tests {
		if !slices.Contains(steps, s) {
			steps = append(steps, s)
		}
	}
	return steps, err
}

// from names the lock that says the versions.
func from(r *recipe.Recipe, lock *pylock.Lock) string {
	switch {
	case lock != nil:
		return lock.Name
	case r.Requires.UV != nil:
		return r.Requires.From
	}
	return ""
}
