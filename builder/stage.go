package builder

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// packageStages are the stages that may have packages beside the runtime's, sorted.
var packageStages = []string{"dev", "testing"}

// requirementsOf returns what a stage wants beyond the runtime, nil if the recipe has no such stage.
func requirementsOf(r *recipe.Recipe, stage string) *recipe.StageRequirements {
	switch {
	case stage == "testing" && r.Testing != nil:
		return &r.Testing.Requires
	case stage == "dev" && r.Dev != nil:
		return &r.Dev.Requires
	}
	return nil
}

// stageWheels chooses the wheels that the request's stage has beside the runtime's, which are chosen already: from the stage's lock, else uv is asked,
// with the versions of the runtime's lock as constraints.
func (b *build) stageWheels(ctx context.Context, gw gateway.Client, c *found, runtime *pylock.Lock, glibc string) error {
	q := requirementsOf(c.recipe, b.req.Target)
	if q == nil {
		return nil
	}
	stage := found{recipe: c.recipe.With(*q), inBase: c.inBase}
	lock, err := b.stageLock(&stage, c, glibc)
	if err != nil {
		return err
	}
	if lock == nil {
		c.locked = false
		question := asking{recipe: stage.recipe, platforms: []string{c.recipe.Platform}, glibc: glibc, has: c.inBase.packages, keep: constraints(runtime)}
		if _, lock, err = b.askUV(ctx, gw, question); err != nil {
			return stageHint(err, b.req.Target, runtime)
		}
	}
	if stage.wheels == nil {
		if err := stage.choose(lock, glibc); err != nil {
			return err
		}
		if changed := changedBy(&stage, c); changed != "" {
			return fault.New(fault.Resolve, "the packages of stage %s do not go with those of the runtime: %s", b.req.Target, changed)
		}
	}
	for _, w := range stage.wheels {
		if !has(c.wheels, w.Name) {
			c.extra = append(c.extra, w)
		}
	}
	if stage.needs != nil {
		c.needs, c.asked = stage.needs, stage.asked
	}
	for _, n := range stage.notes {
		if !slices.Contains(c.notes, n) {
			c.notes = append(c.notes, n)
		}
	}
	return nil
}

// stageLock returns the stage's lock if it answers today's inputs and has every package of the runtime as the runtime has it; then
// the stage's wheels are chosen from it. What is stale or missing is a fault.LockStale under --locked, else a note.
func (b *build) stageLock(stage, runtime *found, glibc string) (*pylock.Lock, error) {
	v := Variant{Profile: stage.recipe.Profile, Recipes: []*recipe.Recipe{stage.recipe}}
	for _, given := range b.req.Variants {
		if given.Profile == v.Profile {
			v.Lock = given.StageLocks[b.req.Target]
		}
	}
	lock, err := usableLock(b.req, v)
	if lock == nil || err != nil {
		return nil, err
	}
	chosen := *stage
	if err := chosen.choose(lock, glibc); err != nil {
		return nil, err
	}
	changed := changedBy(&chosen, runtime)
	switch {
	case changed == "":
		*stage = chosen
		return lock, nil
	case b.req.Locked:
		return nil, fault.New(fault.LockStale, "the lock does not fit the runtime's any more: %s", changed).
			In(fault.Position{File: lock.Name}).Hint("mlbuild lock --profile %s", v.Profile)
	}
	b.req.note("%s is stale (%s) and not used; renew it with: mlbuild lock --profile %s", lock.Name, changed, v.Profile)
	return nil, nil
}

// changedBy says in words which package of the runtime the stage would have otherwise, "" if none.
func changedBy(stage, runtime *found) string {
	for _, w := range runtime.wheels {
		i := slices.IndexFunc(stage.wheels, func(s pylock.Wheel) bool { return s.Name == w.Name })
		switch {
		case i < 0:
			return "it lacks " + w.Name
		case stage.wheels[i].Version != w.Version:
			return fmt.Sprintf("%s is %s in the runtime and %s in the stage", w.Name, w.Version, stage.wheels[i].Version)
		}
	}
	return ""
}

func has(wheels []pylock.Wheel, name string) bool {
	return slices.ContainsFunc(wheels, func(w pylock.Wheel) bool { return w.Name == name })
}

// constraints writes the versions of a lock as a constraints file. A package that is required by its URL is held by that requirement.
func constraints(lock *pylock.Lock) string {
	var text strings.Builder
	for _, p := range lock.Packages {
		direct := slices.ContainsFunc(p.Wheels, func(f pylock.File) bool { return f.Direct })
		if p.Version == "" || direct || p.Archive != nil || p.VCS != nil || p.Directory != nil {
			continue
		}
		fmt.Fprintf(&text, "%s==%s", p.Name, p.Version)
		if p.Marker != "" {
			fmt.Fprintf(&text, " ; %s", p.Marker)
		}
		text.WriteString("\n")
	}
	return text.String()
}

// stageHint adds to a failed resolution that the runtime's versions are fixed in it.
func stageHint(err error, stage string, runtime *pylock.Lock) error {
	for _, f := range fault.All(err) {
		if f.Code == fault.Resolve {
			f.Hint("the stage %s takes the runtime's packages in the versions of %s; loosen what it asks for, or lock other versions for the runtime", stage, runtime.Name)
		}
	}
	return err
}
