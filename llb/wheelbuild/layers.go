package wheelbuild

import (
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Inputs is what building packages from source needs that has to be looked up.
type Inputs struct {
	Needs    map[string][]string // package → the packages that it needs; empty = the lock says nothing of that
	Asked    map[string]string   // package that is built → who requires it, for people
	Glibc    string              // of the base, "2.36"; "" = unknown
	Tool     ops.Base            // image in which uv is brought, on the daemon's own platform
	Devel    ops.Base            // image with the CUDA toolkit, on the image's platform; zero where nothing is compiled with CUDA
	CUDA     string              // version of that toolkit
	OwnCUDA  bool                // the base has that toolkit itself, in CUDAHome
	InBase   []pylock.Wheel      // packages of the base that a build without isolation sees, of which only name and version are known
	BaseDirs []string            // where these lie in the base, in the order in which its Python looks
	Tagged   pypi.Tagged         // the project's newest tag in git, zero = there is none
	Hosts    string              // known_hosts(5) of the git servers that are reached by ssh
}

// Image is the image for which packages are built.
type Image struct {
	Recipe      *recipe.Recipe
	Base        ops.Base
	Interpreter string         // path of its Python
	Packages    []pylock.Wheel // all that it has, and those that are built
	Below       ops.Layers     // its layers so far
	Root        bkllb.State    // the builder stage
	WithPython  bkllb.State    // the base with its Python: what libraries are looked for in
}

// Any reports whether something has to be built for a stage.
func Any(wheels []pylock.Wheel) bool {
	return slices.ContainsFunc(wheels, func(w pylock.Wheel) bool { return w.Source != nil })
}

// Split splits the wheels into those that are there and those that have to be built.
func Split(wheels []pylock.Wheel) (there, sources []pylock.Wheel) {
	for _, w := range wheels {
		if w.Source == nil {
			there = append(there, w)
		} else {
			sources = append(sources, w)
		}
	}
	return there, sources
}

// Layers returns the layers of packages that are built, each by a step of its own and in a layer of its own, in the order of sources. It fails with fault.Spec for
// builds that need each other, and with fault.Resolve for one that requires another version of a package than the image has.
func Layers(sources []pylock.Wheel, image Image, in Inputs, set ops.Setting) (ops.Layers, error) {
	s := set.Group(ops.GroupSource)
	tool, err := ops.ToolState(in.Tool, set.Worker, s)
	if err != nil {
		return nil, err
	}
	b := builds{
		image: image, in: in, set: set, uv: ops.UVState(tool, set.Worker, set.Platform, set.Network, s),
		done: map[string]bkllb.State{},
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

// Subset returns the layers of some of an image's packages with all that they need, and of no others: those of the image where they hold one package alone, else layers that are no
// part of it. needs maps a package to those that it needs; nil = unknown: then all packages come.
func Subset(names []string, image Image, needs map[string][]string, set ops.Setting) (layers []bkllb.State) {
	if len(names) == 0 {
		return nil
	}
	wanted := withNeeds(names, needs)
	for _, w := range image.Packages {
		switch {
		case needs != nil && !wanted[w.Name]:
			continue
		case w.Source == nil:
			layers = append(layers, installed(w, image, set)...)
			continue
		}
		for _, l := range image.Below.OfKind(layerplan.KindBuilt) {
			if l.Wheels[0].Name == w.Name {
				layers = append(layers, l.State)
			}
		}
	}
	return layers
}

// builds are the builds of an image.
type builds struct {
	image Image
	in    Inputs
	set   ops.Setting
	uv    bkllb.State
	done  map[string]bkllb.State // layers, by the package's name
}

// layer builds a wheel and unpacks it. chain is the packages whose builds wait for this one.
func (b builds) layer(w pylock.Wheel, chain []string) (bkllb.State, error) {
	if done, ok := b.done[w.Name]; ok {
		return done, nil
	}
	how := howOf(b.image.Recipe.Builder.Packages, w.Name)
	locked, names, err := b.locked(how, append(slices.Clone(chain), w.Name))
	if err != nil {
		return bkllb.State{}, err
	}
	built, err := b.build(w, how, locked, names)
	if err != nil {
		return bkllb.State{}, err
	}
	installed, err := b.install(w, built, locked)
	b.done[w.Name] = installed
	return installed, err
}

// locked returns the layers of the locked packages that a build without isolation sees, and their names: those that it requires and all that these
// need, but for what itself waits for this build; and those that are there in place of the base's. Where the lock says nothing of that, all.
func (b builds) locked(how recipe.PackageBuild, chain []string) (layers []bkllb.State, names []string, err error) {
	if !how.Shared {
		return nil, nil, nil
	}
	if err := checkRequired(how, slices.Concat(b.image.Packages, b.inBase()), chain); err != nil {
		return nil, nil, err
	}
	wanted := closure(how, b.image.Packages, b.in.Needs)
	for _, w := range b.image.Packages {
		if slices.Contains(chain, w.Name) || !slices.ContainsFunc(wanted, func(v pylock.Wheel) bool { return v.Name == w.Name }) && !b.replaces(w) {
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
		layers = append(layers, installed(w, b.image, b.set)...)
	}
	return layers, names, nil
}

// inBase returns the packages of the base in whose place the image has no other.
func (b builds) inBase() []pylock.Wheel {
	return slices.DeleteFunc(slices.Clone(b.in.InBase), func(p pylock.Wheel) bool {
		return slices.ContainsFunc(b.image.Packages, func(w pylock.Wheel) bool { return w.Name == p.Name })
	})
}

// replaces reports whether a wheel is there in place of a package of the base: what else the base has may need it, and must not be given the base's.
func (b builds) replaces(w pylock.Wheel) bool {
	return w.Source == nil && slices.ContainsFunc(b.in.InBase, func(p pylock.Wheel) bool { return p.Name == w.Name })
}

// installed returns the layers of a wheel that is there: those of the image if it has its own, else one that is no part of the image.
func installed(w pylock.Wheel, image Image, set ops.Setting) []bkllb.State {
	var own []bkllb.State
	for _, l := range image.Below.OfKind(layerplan.KindWheels) {
		if len(l.Wheels) == 1 && l.Wheels[0].Name == w.Name { // one of several where a large wheel is split
			own = append(own, l.State)
		}
	}
	if own != nil {
		return own
	}
	l := layerplan.Layer{Kind: layerplan.KindWheels, Name: w.Label(), Wheels: []pylock.Wheel{w}}
	return []bkllb.State{install.Wheels(set.Helpers.Root(set.Helpers.Wheels), l, image.Recipe, set).State}
}
