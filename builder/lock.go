package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// LockOptions say how an existing lock is renewed. The zero value keeps every version that still fits.
type LockOptions struct {
	All     bool     // take the newest version of everything
	Upgrade []string // take the newest version of these packages
	Base    bool     // of LockBuild: take what the bases' tags name now
	System  bool     // of LockBuild: take the newest system packages
	Models  bool     // of LockBuild: take what the models' sources have now
	Nonce   string   // differs from run to run, so that the indexes are asked anew
	// Profiles are all of the project's, built or not: LockBuild forgets others. Nil = keep what is there.
	Profiles []string
}

// Locked is a new lock: a profile's, or that of one of its stages.
type Locked struct {
	Profile string
	Stage   string // "" = the runtime
	Path    string // in the project: pylock.gpu.toml
	Data    []byte
	Lock    *pylock.Lock
	Notes   []string
}

// Lock resolves every variant of the request and then its stages that have packages of their own, and checks the result as a build would. It
// writes nothing.
func (b *Builder) Lock(ctx context.Context, req Request, o LockOptions) ([]Locked, error) {
	run, err := b.start(ctx, req, purpose{})
	if err != nil {
		return nil, err
	}
	defer run.close()
	locks, errs := make([][]Locked, len(req.Variants)), make([]error, len(req.Variants))
	var wg sync.WaitGroup
	for i, v := range req.Variants {
		if errs[i] = othersLock(v); errs[i] != nil {
			continue
		}
		wg.Go(func() {
			errs[i] = run.ask(run.ctx, v, func(ctx context.Context, gw gateway.Client) (err error) {
				locks[i], err = run.locks(ctx, gw, v, o)
				return err
			})
		})
	}
	wg.Wait()
	return slices.Concat(locks...), errors.Join(errs...)
}

// locks makes the lock of the variant's runtime, and with it as the constraint those of its stages.
func (b *build) locks(ctx context.Context, gw gateway.Client, v Variant, o LockOptions) ([]Locked, error) {
	runtime, err := b.lock(ctx, gw, v, o, "")
	if err != nil {
		return nil, err
	}
	all := []Locked{runtime}
	for _, name := range packageStages {
		q := requirementsOf(v.Recipes[0], name)
		if q == nil {
			continue
		}
		stage := Variant{Profile: v.Profile, Lock: v.StageLocks[name]}
		for _, r := range v.Recipes {
			stage.Recipes = append(stage.Recipes, r.With(*requirementsOf(r, name)))
		}
		locked, err := b.lock(ctx, gw, stage, o, constraints(runtime.Lock))
		if err != nil {
			return all, stageHint(err, name, runtime.Lock)
		}
		locked.Stage = name
		all = append(all, locked)
	}
	return all, nil
}

// othersLock refuses to write over the lock of another tool that the project names.
func othersLock(v Variant) error {
	r := v.Recipes[0]
	if r.Requires.From == "" || r.Requires.From != r.Requires.Lock {
		return nil
	}
	return fault.New(fault.Lock, "profile %s takes its packages from %s, which another tool makes", v.Profile, r.Requires.Lock).
		In(fault.Position{File: r.Requires.Lock}).Hint("renew it with that tool; or take python.lock away, and mlbuild lock writes pylock.%s.toml", v.Profile)
}

// ask runs a function with the daemon's gateway, without building or exporting anything.
func (b *build) ask(ctx context.Context, v Variant, f func(context.Context, gateway.Client) error) error {
	w := b.watch(v.Profile)
	defer w.Close()
	attached, err := b.attachables(v)
	if err != nil {
		return err
	}
	opt := bkclient.SolveOpt{Session: attached, SharedKey: b.sharedKey(), OCIStores: b.stores(), FrontendAttrs: map[string]string{}, Internal: true}
	_, err = runner{b, v, w}.call(ctx, opt, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return gateway.NewResult(), f(ctx, gw)
	})
	if err == nil {
		return nil
	}
	return b.failed(v.Profile).Explain(b.daemon.Explain(ctx, err))
}

// lock makes one lock; keep holds constraints beside the project's own.
func (b *build) lock(ctx context.Context, gw gateway.Client, v Variant, o LockOptions, keep string) (Locked, error) {
	glibc, has, err := b.lookAtBases(ctx, gw, v)
	if err != nil {
		return Locked{}, err
	}
	q := asking{recipe: v.Recipes[0], platforms: v.platforms(), glibc: glibc, has: has.packages, keep: keep, upgrade: o.Upgrade, nonce: o.Nonce}
	if !o.All {
		q.previous = string(v.Lock)
	}
	data, lock, err := b.askUV(ctx, gw, q)
	if err != nil {
		return Locked{}, err
	}
	l := Locked{Profile: v.Profile, Path: v.Recipes[0].Requires.Lock, Data: data, Lock: lock}
	for _, r := range v.Recipes {
		c := found{recipe: r, inBase: has}
		if err := c.choose(lock, glibc); err != nil {
			return Locked{}, err
		}
		l.Notes = append(l.Notes, c.notes...)
	}
	return l, nil
}

// lookAtBases looks up the base of every platform and returns the oldest glibc, because the lock serves all of them, and what the first one has.
func (b *build) lookAtBases(ctx context.Context, gw gateway.Client, v Variant) (lowest string, has inBase, err error) {
	for i, r := range v.Recipes {
		p, err := parsePlatform(r.Platform)
		if err != nil {
			return "", has, err
		}
		base, err := b.lookupBase(ctx, gw, r, p)
		if err != nil {
			return "", has, err
		}
		glibc, err := compat.CheckBase(r, "", createdBy(base), base.Config.Config.Env)
		if err != nil {
			return "", has, err
		}
		seen, err := b.lookInto(ctx, gw, r, base, p)
		if err != nil {
			return "", has, err
		}
		if glibc = cmp.Or(glibc, seen.glibc); lowest == "" || older(glibc, lowest) {
			lowest = glibc
		}
		if i == 0 {
			has = seen
		}
	}
	return lowest, has, nil
}

// older compares two glibc versions, "2.31" and "2.36"; an unknown one is never older.
func older(a, b string) bool {
	var x, y int
	if _, err := fmt.Sscanf(a, "2.%d", &x); err != nil {
		return false
	}
	_, err := fmt.Sscanf(b, "2.%d", &y)
	return err == nil && x < y
}
