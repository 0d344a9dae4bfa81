package wants

import (
	"context"

	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/profiles/depgraph"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Image is a profile, or one of its stages, on one platform: which Python packages it has, and who wants them.
type Image struct {
	Profile  string
	Stage    string // "" = the runtime
	Platform string
	From     string // lock that says the versions, "pylock.gpu.toml", "uv.lock"; "" = they were chosen now
	Stale    string // why the lock does not answer the project any more, "" = it does
	Graph    *depgraph.Graph
	Lock     *pylock.Lock
	Unpacked map[string]int64 // bytes of packages whose files were counted
	Detailed bool             // what packages require is known by their metadata, not by the lock alone

	recipe *recipe.Recipe
}

// Locked returns the images of a profile's recipes, and of their stages, by the texts of their locks, without a daemon: none where text is nil. A lock that is stale is used
// all the same. Errors: fault.Lock for a file that is no lock.
func Locked(recipes []*recipe.Recipe, text []byte, stageLocks map[string][]byte) ([]Image, error) {
	if text == nil || len(recipes) == 0 {
		return nil, nil
	}
	images, err := imagesOf(recipes, text, "")
	for _, stage := range lookup.PackageStages {
		q, text := lookup.StageRequirements(recipes[0], stage), stageLocks[string(stage)]
		if err != nil || q == nil || text == nil {
			continue
		}
		var staged []*recipe.Recipe
		for _, r := range recipes {
			staged = append(staged, lookup.Staged(r, lookup.StageRequirements(r, stage)))
		}
		var more []Image
		more, err = imagesOf(staged, text, stage)
		images = append(images, more...)
	}
	return images, err
}

// imagesOf returns the images of a lock, one for each platform.
func imagesOf(recipes []*recipe.Recipe, text []byte, stage recipe.Stage) ([]Image, error) {
	stale := ""
	if _, err := (lookup.Locks{Refuse: true}).Python(recipes, text); err != nil {
		f := fault.All(err)[0]
		if f.Code != fault.LockStale {
			return nil, err
		}
		stale = f.Message
	}
	lock, err := pylock.ParseBelow(recipes[0].Above.Place(), recipes[0].Requires.Lock, text)
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, r := range recipes {
		images = append(images, New(r, lock, stage, lock.Name, stale))
	}
	return images, nil
}

// New returns the image of a recipe, or of a stage of it, that has the packages of a lock. from and stale are Image.From and Image.Stale.
func New(r *recipe.Recipe, lock *pylock.Lock, stage recipe.Stage, from, stale string) Image {
	return Image{
		Profile: r.Profile, Stage: string(stage), Platform: r.Platform, From: from, Stale: stale, Lock: lock, recipe: r,
		Graph: depgraph.New(depgraph.Sources{Recipe: r, Lock: lock}),
	}
}

// Wheel returns what is installed of a package (normalized name), the zero value where the lock does not have it or has no file of it for the platform.
func (g Image) Wheel(name string) pylock.Wheel {
	p := g.Graph.Package(name)
	if p == nil {
		return pylock.Wheel{}
	}
	r := g.recipe
	alone := pylock.Lock{Name: g.Lock.Name, RequiresPython: g.Lock.RequiresPython, Packages: []pylock.Package{*p}}
	wheels, err := alone.Select(pypi.Target{
		Python: r.Python.Version, Platform: r.Platform, Source: r.Requires.Source, NoBuild: r.Requires.NeverBuilt(), Extras: r.Requires.Extras, Groups: r.Requires.Groups,
	})
	if err != nil || len(wheels) == 0 {
		return pylock.Wheel{}
	}
	return wheels[0]
}

// Complete makes the graphs of images anew with the requirements of the wheels, which the daemon reads; about are the packages whose files are counted, normalized. Errors are
// those of lookup.UV.Metadata.
func Complete(ctx context.Context, uv lookup.UV, images []Image, about []string) error {
	for i := range images {
		g := &images[i]
		found, err := uv.Metadata(ctx, g.recipe, g.Lock, about)
		if err != nil {
			return err
		}
		g.Graph = depgraph.New(depgraph.Sources{Recipe: g.recipe, Lock: g.Lock, Requires: found.Requires})
		g.Unpacked, g.Detailed = found.Unpacked, len(found.Requires) > 0
	}
	return nil
}
