package llb

import (
	"errors"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// sourceEpoch is the time that builds are told to write into archives: the first that a zip can hold, 1980-01-01.
const sourceEpoch = "315532800"

// BuildInputs is what building packages from source needs.
type BuildInputs struct {
	Needs   map[string][]string // package → the packages that it needs, as far as the lock says it
	Asked   map[string]string   // package that is built → who requires it, for people
	Glibc   string              // of the base, "2.36"; "" = unknown
	Tool    ops.Base            // image in which uv is brought, on Worker's platform
	Devel   ops.Base            // image with the CUDA toolkit, on the image's platform; zero where nothing is compiled with CUDA
	CUDA    string              // version of that toolkit
	Version string              // of the project by its git tags, "" = unknown
	Hosts   string              // known_hosts(5) of the git servers that are reached by ssh
}

// ready splits the wheels into those that are there and those that have to be built.
func ready(wheels []pylock.Wheel) (there, sources []pylock.Wheel) {
	for _, w := range wheels {
		if w.Source == nil {
			there = append(there, w)
		} else {
			sources = append(sources, w)
		}
	}
	return there, sources
}

// Builds reports whether something has to be built for a stage.
func Builds(wheels []pylock.Wheel) bool {
	return slices.ContainsFunc(wheels, func(w pylock.Wheel) bool { return w.Source != nil })
}

// builtLayers returns the layers of the packages that are built, each by a step of its own and in a layer of its own, sorted by name. below are the layers of the
// image so far.
func builtLayers(r *recipe.Recipe, in given, sources []pylock.Wheel, below ops.Layers) (ops.Layers, error) {
	if len(sources) == 0 {
		return nil, nil
	}
	root, err := builderRoot(r, in)
	if err != nil {
		return nil, err
	}
	s := sourceGroup(in)
	tool, err := ops.ToolState(in.Build.Tool, in.Worker, s)
	if err != nil {
		return nil, err
	}
	b := &wheelBuilder{
		recipe: r, in: in, below: below, root: root, made: map[string]bkllb.State{},
		uv: ops.UVState(tool, in.Worker, in.platform, in.Network, s),
	}
	var layers ops.Layers
	for _, w := range sources {
		state, err := b.layer(w, nil)
		if err != nil {
			return nil, err
		}
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindBuilt, Name: w.Label(), Wheels: []pylock.Wheel{w}}, State: state})
	}
	return layers, nil
}

func sourceGroup(in given) ops.Group { return ops.Group{ID: ops.GroupSource, NoCache: in.NoCache} }

// wheelBuilder makes wheels from source, on the builder stage.
type wheelBuilder struct {
	recipe   *recipe.Recipe
	in       given
	below    ops.Layers // the image so far
	root, uv bkllb.State
	made     map[string]bkllb.State // layers, by the package's name
}

// layer builds a wheel and lays it down. chain is the packages whose builds wait for this one.
func (b *wheelBuilder) layer(w pylock.Wheel, chain []string) (bkllb.State, error) {
	if made, ok := b.made[w.Name]; ok {
		return made, nil
	}
	how := b.how(w.Name)
	locked, names, err := b.locked(how, append(slices.Clone(chain), w.Name))
	if err != nil {
		return bkllb.State{}, err
	}
	built, err := b.build(w, how, locked, names)
	if err != nil {
		return bkllb.State{}, err
	}
	laid, err := b.lay(w, built, locked)
	b.made[w.Name] = laid
	return laid, err
}

// how returns the way in which the project file wants a package built.
func (b *wheelBuilder) how(name string) recipe.PackageBuild {
	all := b.recipe.Builder.Packages
	if i := slices.IndexFunc(all, func(p recipe.PackageBuild) bool { return p.Name == name }); i >= 0 {
		return all[i]
	}
	return recipe.PackageBuild{Name: name}
}

// locked returns the layers of the locked packages that a build without isolation sees, and their names: those that it requires and all that these
// need, but for what itself waits for this build. Where the lock says nothing of that, all.
func (b *wheelBuilder) locked(how recipe.PackageBuild, chain []string) (layers []bkllb.State, names []string, err error) {
	if !how.Shared {
		return nil, nil, nil
	}
	if err := b.fits(how, chain); err != nil {
		return nil, nil, err
	}
	for _, w := range b.closure(how) {
		if slices.Contains(chain, w.Name) {
			continue
		}
		names = append(names, w.Name)
		if w.Source != nil {
			l, err := b.layer(w, chain)
			if err != nil {
				return nil, nil, err
			}
			layers = append(layers, l)
			continue
		}
		layers = append(layers, b.laid(w)...)
	}
	return layers, names, nil
}

// closure is the locked packages that a build requires, with what they need, sorted by name.
func (b *wheelBuilder) closure(how recipe.PackageBuild) []pylock.Wheel {
	wanted, known := b.needed(requiredBy(how)), len(b.in.Build.Needs) > 0
	return slices.DeleteFunc(b.chosen(), func(w pylock.Wheel) bool {
		return !wanted[w.Name] && (known || w.Source != nil)
	})
}

// chosen is every package of the image and of the stage that is built.
func (b *wheelBuilder) chosen() []pylock.Wheel { return slices.Concat(b.in.Wheels, b.in.Extra) }

// needed is packages with all that they need, as far as the lock says it.
func (b *wheelBuilder) needed(roots []string) map[string]bool {
	found := map[string]bool{}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		if name := queue[0]; !found[name] {
			found[name] = true
			queue = append(queue, b.in.Build.Needs[name]...)
		}
	}
	return found
}

// requiredBy names the packages that a build requires itself.
func requiredBy(how recipe.PackageBuild) []string {
	var names []string
	for _, r := range how.Requires {
		if q, err := pypi.ParseRequirement(r); !errors.Is(err, pypi.ErrNoRequirement) {
			names = append(names, q.Name)
		}
	}
	return names
}

// fits refuses a build that requires a package whose own build waits for it, or another version of one than the image has: it would be given that one.
func (b *wheelBuilder) fits(how recipe.PackageBuild, chain []string) error {
	if slices.ContainsFunc(requiredBy(how), func(name string) bool { return slices.Contains(chain, name) }) {
		return fault.New(fault.Spec, "the builds of %s need each other", strings.Join(chain, " and ")).
			Hint("look at isolation: false and requires of these packages in python.build")
	}
	for _, r := range how.Requires {
		q, err := pypi.ParseRequirement(r)
		if err != nil {
			continue // the build's own installer says what is wrong with it
		}
		for _, w := range b.chosen() {
			if v, err := pypi.ParseVersion(w.Version); w.Name == q.Name && err == nil && !q.Specifiers.Admit(v) {
				return fault.New(fault.Resolve, "the build of %s requires %s, and the image has %s, which its build would be given", how.Name, r, w.Label()).
					Hint("change python.build.%s.requires, or ask for a version of %s that both can use", how.Name, w.Name)
			}
		}
	}
	return nil
}

// laid returns the layers of a wheel that is there: those of the image if it has its own, else one that is no part of the image.
func (b *wheelBuilder) laid(w pylock.Wheel) []bkllb.State {
	var own []bkllb.State
	for _, l := range b.below.OfKind(layerplan.KindWheels) {
		if len(l.Wheels) == 1 && l.Wheels[0].Name == w.Name { // one of several where a large wheel is split
			own = append(own, l.State)
		}
	}
	if own != nil {
		return own
	}
	l := layerplan.Layer{Kind: layerplan.KindWheels, Name: w.Label(), Wheels: []pylock.Wheel{w}}
	return []bkllb.State{wheelLayer(ops.HelperRoot(b.in.Helpers.Wheels), l, b.recipe, b.in).State}
}
