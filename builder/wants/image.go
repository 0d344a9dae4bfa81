package wants

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
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
	// System is who depends on which Debian package; nil where nobody asked, and Unread says why where it could not be read.
	System *depgraph.Graph
	Unread error

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

// Complete makes the graphs of images anew with the requirements of the wheels, which the daemon reads. names are the packages that are asked about: their files are counted,
// and where one of them is a Debian package that apt chose, it is read who depends on it. Errors are those of lookup.UV.Metadata; where Debian packages cannot be read, Image.Unread says why.
func Complete(ctx context.Context, a lookup.Asker, images []Image, names []string) error {
	var about []string
	for _, name := range names {
		about = append(about, pypi.Normalize(name))
	}
	for i := range images {
		m := &images[i]
		found, err := a.UV.Metadata(ctx, m.recipe, m.Lock, about)
		if err != nil {
			return err
		}
		m.Graph = depgraph.New(depgraph.Sources{Recipe: m.recipe, Lock: m.Lock, Requires: found.Requires})
		m.Unpacked, m.Detailed = found.Unpacked, len(found.Requires) > 0
		if list := chosenByApt(a.System.Lock, m, names); list != nil {
			m.System, err = system(ctx, a, m.recipe, list)
			m.Unread = errors.Join(m.Unread, err)
		}
	}
	return ctx.Err()
}

// chosenByApt returns the list of an image's Debian packages, if one of the names is among them that nobody asks for; else nil.
func chosenByApt(lock *buildlock.Lock, m *Image, names []string) *buildlock.System {
	if lock == nil || m.Stage != "" {
		return nil
	}
	for _, name := range names {
		for _, p := range depgraph.System(lock, m.Profile, strings.ToLower(name)) {
			if i := slices.IndexFunc(lock.Systems, func(s buildlock.System) bool {
				return s.Platform == m.Platform && slices.Contains(s.Profiles, m.Profile)
			}); i >= 0 && !p.Asked && !p.Present {
				return &lock.Systems[i]
			}
		}
	}
	return nil
}

// system has the daemon read from the packages of a list who depends on whom.
func system(ctx context.Context, a lookup.Asker, r *recipe.Recipe, list *buildlock.System) (*depgraph.Graph, error) {
	tool, err := a.UV.ImageOf(ctx, r.Tool, a.UV.Worker)
	if err != nil {
		return nil, err
	}
	def, err := query.SystemControl(list.Packages, query.ControlInputs{Tool: tool, Worker: a.UV.Worker, NoCache: a.UV.NoCache}, r.Profile)
	if err != nil {
		return nil, err
	}
	text, err := a.UV.Read(ctx, def, r.Profile, "what the system packages depend on", query.SystemControls)
	if err != nil {
		return nil, err
	}
	return depgraph.NewSystem(list, string(text), r.Apt.Places), nil
}
