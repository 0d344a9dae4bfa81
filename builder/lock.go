package builder

import (
	"context"
	"errors"
	"slices"
	"sync"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/wants"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// LockOptions say how an existing lock is renewed. The zero value keeps every version that still fits.
type LockOptions struct {
	All     bool     // take the newest version of everything
	Upgrade []string // take the newest version of these packages
	Base    bool     // of LockBuild: take what the bases' tags name now
	System  bool     // of LockBuild: take the newest system packages
	Models  bool     // of LockBuild: take what the models' sources have now
	Nonce   string   // differs from run to run, so that the indexes are asked anew; not where a lock answers the project already
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
	// From is the lock of another tool from which the packages are taken as they are; no lock of mlbuild's is wanted beside it. "" = Data is to be written.
	From string
}

// Lock resolves every variant of the request and then its stages that have packages of their own, and checks the result as a build would. It
// writes nothing.
func (b *Builder) Lock(ctx context.Context, req Request, o LockOptions) ([]Locked, error) {
	run, err := b.start(ctx, req, purpose{})
	if err != nil {
		return nil, err
	}
	defer run.close()
	made, errs := make([][]Locked, len(req.Variants)), make([]error, len(req.Variants))
	var wg sync.WaitGroup
	for i, v := range req.Variants {
		if errs[i] = othersLock(v); errs[i] != nil {
			continue
		}
		wg.Go(func() {
			errs[i] = run.ask(run.ctx, v, func(ctx context.Context, a lookup.Asker) (err error) {
				made[i], err = locks(ctx, a, v, o)
				return err
			})
		})
	}
	wg.Wait()
	return slices.Concat(made...), errors.Join(errs...)
}

// locks makes the lock of the variant's runtime, and with it as the constraint those of its stages.
func locks(ctx context.Context, a lookup.Asker, v Variant, o LockOptions) ([]Locked, error) {
	runtime, err := lock(ctx, a, v, o, "")
	if err != nil {
		return nil, err
	}
	all := []Locked{runtime}
	for _, name := range lookup.PackageStages {
		if lookup.StageRequirements(v.Recipes[0], name) == nil {
			continue
		}
		stage := Variant{Profile: v.Profile, Lock: v.StageLocks[string(name)]}
		for _, r := range v.Recipes {
			stage.Recipes = append(stage.Recipes, lookup.Staged(r, lookup.StageRequirements(r, name)))
		}
		locked, err := lock(ctx, a, stage, o, lookup.Constraints(runtime.Lock))
		if err != nil {
			return all, lookup.StageHint(err, name, runtime.Lock)
		}
		locked.Stage = string(name)
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

// ask runs a function that asks the daemon for a variant, without building or exporting anything.
func (b *build) ask(ctx context.Context, v Variant, f func(context.Context, lookup.Asker) error) error {
	w := b.req.watch(v.Profile)
	defer w.Close()
	attached, failed, err := b.attachables(v)
	if err != nil {
		return err
	}
	opt := bkclient.SolveOpt{Session: attached, SharedKey: b.project.Key(), OCIStores: b.stores(), FrontendAttrs: map[string]string{}, Internal: true}
	_, err = runner{b, v, w}.call(ctx, opt, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return gateway.NewResult(), f(ctx, b.asker(gw, v, w))
	})
	if err == nil {
		return nil
	}
	return b.failed(v.Profile, w).Explain(b.daemon.Explain(ctx, failed.explains(err)))
}

// lock makes one lock; keep holds constraints beside the project's own.
func lock(ctx context.Context, a lookup.Asker, v Variant, o LockOptions, keep string) (Locked, error) {
	base, err := a.Bases.FindAll(ctx, v.Recipes)
	if err != nil {
		return Locked{}, err
	}
	q := lookup.UVQuery{Recipe: v.Recipes[0], Platforms: v.platforms(), Glibc: base.Glibc, Python: base.Contents.FullVersion, InBase: base.Installed, Keep: keep, Upgrade: o.Upgrade, Nonce: o.Nonce}
	if !o.All {
		q.Previous = string(v.Lock)
	}
	q.Settled = q.Previous != "" && len(o.Upgrade) == 0 && lookup.Answers(v.Recipes, v.Lock)
	data, lock, err := a.UV.Lock(ctx, q)
	if err != nil {
		return Locked{}, err
	}
	l := Locked{Profile: v.Profile, Path: v.Recipes[0].Requires.Lock, Data: data, Lock: lock}
	if requires := v.Recipes[0].Requires; requires.UV != nil && v.Lock == nil {
		l.From = requires.From
	}
	for _, r := range v.Recipes {
		choice, err := lookup.Choose(r, lock, base.Glibc, base.Contents)
		if err != nil {
			return Locked{}, err
		}
		l.Notes = append(l.Notes, choice.AllNotes()...)
	}
	return l, nil
}

// Wants returns the request's images by their locks, without a daemon: who wants which package. lacking are the profiles that have no lock. Errors: fault.Lock for a file that is
// no lock.
func Wants(req Request) (images []wants.Image, lacking []string, err error) {
	var faults fault.List
	for _, v := range req.Variants {
		found, err := wants.Locked(v.Recipes, v.Lock, v.StageLocks)
		faults = append(faults, fault.All(err)...)
		if err == nil && len(found) == 0 {
			lacking = append(lacking, v.Profile)
		}
		images = append(images, found...)
	}
	return images, lacking, faults.Err()
}

// Wants completes images with what a daemon can learn: the packages of profiles that have no lock, as a build would choose them now, and for all what the wheels' metadata
// says. names are the packages that are asked about, see wants.Complete. Errors are those of a look-up.
func (b *Builder) Wants(ctx context.Context, req Request, images []wants.Image, names []string) ([]wants.Image, error) {
	run, err := b.start(ctx, req, purpose{plans: true})
	if err != nil {
		return nil, err
	}
	defer run.close()
	all, errs := make([][]wants.Image, len(req.Variants)), make([]error, len(req.Variants))
	var wg sync.WaitGroup
	for i, v := range req.Variants {
		all[i] = slices.DeleteFunc(slices.Clone(images), func(m wants.Image) bool { return m.Profile != v.Profile })
		wg.Go(func() {
			errs[i] = run.ask(run.ctx, v, func(ctx context.Context, a lookup.Asker) (err error) {
				if len(all[i]) == 0 {
					all[i], err = chosen(ctx, a, v)
				}
				if err != nil {
					return err
				}
				return wants.Complete(ctx, a, all[i], names)
			})
		})
	}
	wg.Wait()
	return slices.Concat(all...), errors.Join(errs...)
}

// chosen are the images of a variant without a lock: its packages are chosen now, or by uv.lock.
func chosen(ctx context.Context, a lookup.Asker, v Variant) ([]wants.Image, error) {
	made, err := locks(ctx, a, v, LockOptions{})
	if err != nil {
		return nil, err
	}
	var images []wants.Image
	for _, m := range made {
		for _, r := range v.Recipes {
			if m.Stage != "" {
				r = lookup.Staged(r, lookup.StageRequirements(r, recipe.Stage(m.Stage)))
			}
			images = append(images, wants.New(r, m.Lock, recipe.Stage(m.Stage), m.From, ""))
		}
	}
	return images, nil
}
