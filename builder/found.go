package builder

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// found is what one platform's graph is made from: the recipe and everything that was looked up for it.
type found struct {
	recipe    *recipe.Recipe
	base      ops.Base
	images    map[string]ops.Base // those beside the base that files are taken from
	wheels    []pylock.Wheel      // to be laid down
	extra     []pylock.Wheel      // those that only the request's stage has
	inBase    inBase
	spared    []pylock.Wheel    // of the lock, which the base makes unnecessary
	system    *buildlock.System // nil = none, or not known
	chosen    bool              // apt chose the system packages now: no lock has them
	tools     wheelbuild.Inputs // of the packages that are built
	modelTool ops.Base          // that fetches the models
	models    []buildlock.Model // what the recipe's models are made of
	cuda      string
	env       []recipe.Pair       // the image's own, with what cuda wants of a host's driver
	pruned    []Pruned            // what each rule leaves out; nil = nothing is pruned, or nobody counted
	glibc     string              // of the base, "" = unknown
	needs     map[string][]string // of the lock, where something is built
	asked     map[string]string   // package that is built → who requires it
	notes     []string
	locked    bool
}

// lookup finds everything that one platform needs, and checks it: the sources of what is built, and the images that build.
func (b *build) lookup(ctx context.Context, gw gateway.Client, r *recipe.Recipe, lock *pylock.Lock) (found, error) {
	f, err := b.lookupPackages(ctx, gw, r, lock)
	if err != nil {
		return f, err
	}
	if err := b.checkSources(&f); err != nil {
		return f, err
	}
	if f.tools, err = b.lookupTools(ctx, gw, &f); err != nil {
		return f, err
	}
	f.modelTool, err = b.modelTool(ctx, gw, &f)
	return f, err
}

// lookupPackages finds the base and the wheels of one platform, and checks them against the tables.
func (b *build) lookupPackages(ctx context.Context, gw gateway.Client, r *recipe.Recipe, lock *pylock.Lock) (found, error) {
	p, err := parsePlatform(r.Platform)
	if err != nil {
		return found{}, err
	}
	models, err := b.findModels(ctx, gw, r)
	if err != nil || b.req.Target == "models" {
		return found{recipe: r, models: models, locked: lock != nil}, err
	}
	base, err := b.lookupBase(ctx, gw, r, p)
	if err != nil {
		return found{}, err
	}
	glibc, err := compat.CheckBase(r, "", createdBy(base), base.Config.Config.Env)
	if err != nil {
		return found{}, err
	}
	c := found{recipe: r, base: base, models: models, locked: lock != nil || r.Requires.UV != nil}
	if b.req.Target != "base" {
		if c.images, err = b.lookupImages(ctx, gw, r, p); err != nil {
			return c, err
		}
	}
	needs := llb.NeedsPackages(b.req.Target)
	if !needs && (!base.Bare || b.req.Target != "base") {
		return c, nil
	}
	if c.inBase, err = b.lookInto(ctx, gw, r, base, p); err != nil {
		return c, err
	}
	glibc = cmp.Or(glibc, c.inBase.glibc)
	if c.system, c.chosen, err = b.systemPackages(ctx, gw, r, base, p); err != nil || !needs {
		return c, err
	}
	if lock == nil {
		q := asking{recipe: r, platforms: []string{r.Platform}, glibc: glibc, has: c.inBase.packages}
		if _, lock, err = b.askUV(ctx, gw, q); err != nil {
			return c, err
		}
	}
	if err = c.choose(lock, glibc); err != nil {
		return c, err
	}
	if _, err = compat.CheckBase(r, c.cuda, createdBy(base), base.Config.Config.Env); err != nil {
		return c, err
	}
	return c, b.stageWheels(ctx, gw, &c, lock, glibc)
}

// choose picks the wheels, holds them against the compatibility tables, and notes what follows from them.
func (c *found) choose(lock *pylock.Lock, glibc string) error {
	r := c.recipe
	lock, err := lock.Restrict(allowed(r))
	if err != nil {
		return err
	}
	wheels, err := lock.Select(target(r, glibc))
	if err != nil {
		return err
	}
	infos := make([]compat.Package, len(wheels))
	for i, w := range wheels {
		infos[i] = compat.Package{Name: w.Name, Version: w.Version}
	}
	c.wheels, c.cuda, c.glibc = wheels, compat.Known().Frameworks.CUDA(infos), glibc
	if c.notes, err = compat.CheckWheels(r, infos, lock.PathTo); err != nil {
		return err
	}
	c.notes = append(c.notes, sourceNotes(wheels)...)
	c.notes = append(c.notes, otherBuilds(r, wheels)...)
	c.notes = append(c.notes, overlapNotes(lock, wheels)...)
	c.countPruned(lock)
	if c.chosen {
		c.notes = append(c.notes, "the system packages were chosen now; \"mlbuild lock\" pins them")
	}
	c.env = compat.Env(r, c.cuda)
	var notes []string
	c.wheels, c.spared, notes = c.inBase.subtract(lock, wheels, query.Mentioned(r))
	c.notes = append(c.notes, notes...)
	c.sources(lock)
	return nil
}

// allowed are the hashes that the project's requirements files name.
func allowed(r *recipe.Recipe) []pylock.Allowed {
	var all []pylock.Allowed
	for _, h := range r.Requires.Hashes {
		all = append(all, pylock.Allowed{Name: h.Name, Version: h.Version, SHA256: h.SHA256})
	}
	return all
}

// otherBuilds names packages that come as another build than the one whose hashes the requirements name: torch 2.9.1+cpu for torch 2.9.1.
func otherBuilds(r *recipe.Recipe, wheels []pylock.Wheel) []string {
	var notes []string
	for _, w := range wheels {
		release, local, _ := strings.Cut(w.Version, "+")
		if local != "" && slices.ContainsFunc(r.Requires.Hashes, func(h recipe.PinnedHashes) bool { return h.Name == w.Name && h.Version == release }) {
			notes = append(notes, fmt.Sprintf("the hashes that the requirements name for %s %s are not those of %s, which the profile takes; its own come from its index", w.Name, release, w.Version))
		}
	}
	return notes
}

// overlapNotes names packages that bring the same path with different bytes. The plan's order decides whose stays.
func overlapNotes(lock *pylock.Lock, wheels []pylock.Wheel) []string {
	have := map[string]bool{}
	for _, w := range wheels {
		have[w.Name] = true
	}
	var notes []string
	for _, pair := range slices.Sorted(maps.Keys(lock.Tool.Overlaps)) {
		if a, b, ok := strings.Cut(pair, " "); ok && have[a] && have[b] {
			notes = append(notes, fmt.Sprintf("%s and %s both bring %s with different contents; the later layer's stays",
				a, b, strings.Join(lock.Tool.Overlaps[pair], ", ")))
		}
	}
	return notes
}
