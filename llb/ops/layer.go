package ops

import (
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// Layer is a layer of an image: what the plan says of it, and the state that makes it, over nothing.
type Layer struct {
	layerplan.Layer
	State bkllb.State
}

// Layers are layers of an image, in order.
type Layers []Layer

// States returns what makes the layers.
func (ls Layers) States() []bkllb.State {
	states := make([]bkllb.State, len(ls))
	for i, l := range ls {
		states[i] = l.State
	}
	return states
}

// Plan returns what the plan says of the layers.
func (ls Layers) Plan() []layerplan.Layer {
	plan := make([]layerplan.Layer, len(ls))
	for i, l := range ls {
		plan[i] = l.Layer
	}
	return plan
}

// OfKind returns the layers of a kind.
func (ls Layers) OfKind(kind layerplan.Kind) Layers {
	return slices.DeleteFunc(slices.Clone(ls), func(l Layer) bool { return l.Kind != kind })
}

// And returns the layers with more of them on top, and leaves the layers as they are.
func (ls Layers) And(more ...Layer) Layers { return slices.Concat(ls, more) }
