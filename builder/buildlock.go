package builder

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// BuildLocked is a project's new mlbuild.lock.
type BuildLocked struct {
	Data []byte // equal to Request.BuildLock if nothing changed
	Lock *buildlock.Lock
	Old  *buildlock.Lock // what Request.BuildLock holds, nil = nothing
}

// LockBuild pins the base of every variant, and its system packages on every platform. What the lock has already stays as it is, unless o says to renew
// it: Base and System, or All for both. Packages that are asked for anew leave the versions of the others alone. It writes nothing.
func (b *Builder) LockBuild(ctx context.Context, req Request, o LockOptions) (*BuildLocked, error) {
	old, err := req.buildLock()
	if err != nil {
		return nil, err
	}
	run, err := b.start(ctx, req, purpose{tagsAgain: o.All || o.Base})
	if err != nil {
		return nil, err
	}
	defer run.close()
	everything := Variant{Profile: req.Variants[0].Profile}
	for _, v := range req.Variants {
		everything.Recipes = append(everything.Recipes, v.Recipes...)
	}
	locked := &BuildLocked{Old: old, Lock: old.Clone()}
	err = run.ask(run.ctx, everything, func(ctx context.Context, a lookup.Asker) error {
		return lockBuild(ctx, a, everything.Recipes, o, locked)
	})
	if err != nil {
		return nil, err
	}
	if o.Profiles != nil {
		locked.Lock.Keep(o.Profiles)
	}
	locked.Data = locked.Lock.Marshal()
	if locked.Old != nil && bytes.Equal(locked.Data, locked.Old.Marshal()) {
		locked.Data = req.BuildLock // comments that somebody wrote are not worth a change
	}
	return locked, nil
}

// lockBuild asks once for each distinct question and puts the answers into the lock in the order of the recipes.
func lockBuild(ctx context.Context, a lookup.Asker, all []*recipe.Recipe, o LockOptions, to *BuildLocked) error {
	lists := make([]*buildlock.System, len(all))
	bases := make([]ops.Base, len(all))
	first := map[[3]string]int{} // question → the recipe that asks it
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, r := range all {
		key := [3]string{r.Base.Ref, r.Platform, r.Apt.Inputs}
		if _, asked := first[key]; asked {
			continue
		}
		first[key] = i
		wg.Go(func() { bases[i], lists[i], errs[i] = lockOne(ctx, a, r, o, to.Old) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, r := range all {
		i := first[[3]string{r.Base.Ref, r.Platform, r.Apt.Inputs}]
		if err := lockImages(ctx, a, r, bases[i], to.Lock); err != nil {
			return err
		}
		contents, err := a.Bases.ToLock(ctx, r, bases[i], to.Lock)
		if err != nil {
			return err
		}
		to.Lock.PutContents(r.Profile, r.Platform, contents)
		if lists[i] == nil {
			to.Lock.DropSystem(r.Profile, r.Platform)
		} else {
			to.Lock.PutSystem(r.Profile, *lists[i])
		}
	}
	models, err := a.Models.ToLock(ctx, all, to.Old, o.All || o.Models)
	if err != nil {
		return err
	}
	for _, r := range all {
		to.Lock.PutModels(r.Profile, models[r.Profile])
	}
	return nil
}

// lockImages pins the recipe's base and the images whose files it takes.
func lockImages(ctx context.Context, a lookup.Asker, r *recipe.Recipe, base ops.Base, to *buildlock.Lock) error {
	images, err := a.Bases.Images(ctx, r)
	if err != nil {
		return err
	}
	refs := []string{r.Base.Ref}
	if !r.Base.OfPackages() && registry.DigestOf(r.Base.Ref) == "" {
		to.PutImage(r.Profile, r.Base.Ref, registry.DigestOf(base.Ref))
	}
	for _, ref := range r.Images() {
		refs = append(refs, ref)
		if registry.DigestOf(ref) == "" {
			to.PutImage(r.Profile, ref, registry.DigestOf(images[ref].Ref))
		}
	}
	to.KeepImages(r.Profile, refs)
	return nil
}

// lockOne returns a recipe's base and the list of its system packages, nil if it has none.
func lockOne(ctx context.Context, a lookup.Asker, r *recipe.Recipe, o LockOptions, old *buildlock.Lock) (base ops.Base, s *buildlock.System, err error) {
	if base, err = a.Bases.Image(ctx, r); err != nil {
		return base, nil, err
	}
	s, err = a.System.ToLock(ctx, r, base, old, o.All || o.System, o.Nonce)
	return base, s, err
}
