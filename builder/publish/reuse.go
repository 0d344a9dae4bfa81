package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// An edit changes the layer of the project's files, a new version of a package that package's layer, a new base the layers that are made on it, and each layer has a key, the
// digest of what it is made from (llb.Compile). Layers that the graph would make again are taken from the registry where a record that is believed says which blobs they are
// (beliefs.go) and the repository has these blobs: the daemon builds and exports the others alone, and the client puts the image together. Nobody then looks at the other
// packages, on a daemon that has them as on one that does not. The image is byte for byte the one that the daemon would export.

// reuse is an image of which some layers are taken from the registry's.
type reuse struct {
	base   []layerRef     // the base's layers, nil = they are exported with the others
	layers []layerRef     // as in Plan.Layers; those to be made are empty
	made   []int          // the layers to be made, in Plan.Layers
	idle   bool           // all are known: the one in made is exported for the config that comes with it
	part   *pb.Definition // makes them
	here   *Exported      // the image that the tag names, where it is this one; nil = it is another, or cannot be told before the export
}

// reusable returns what can be taken from the registry's image, or why nothing is.
func reusable(o Options, remote *RemoteState, graphs []Graph) (*reuse, error) {
	if err := mayReuse(o, remote, graphs); err != nil {
		return nil, err
	}
	g := graphs[0]
	own, err := g.keys()
	if err != nil {
		return nil, err
	}
	if name := g.unkeyed(own); name != "" {
		return nil, fmt.Errorf("nobody can tell from outside what the layer %s is made of", name)
	}
	if !remote.keyed() {
		return nil, errors.New("no record that is believed tells of layers")
	}
	r := &reuse{base: remote.below()}
	r.take(remote, own)
	if len(r.made) == len(own) {
		return nil, errors.New("every layer is new")
	}
	if len(r.made) == 0 && r.base != nil {
		r.here = r.under(remote, g, o.Epoch)
		r.made, r.idle = []int{r.cheapest(g.Plan)}, true
	}
	if r.part, err = g.Part(r.base == nil, r.made); err != nil || r.part == nil {
		return nil, errors.New("the layers cannot be made one by one")
	}
	return r, nil
}

// mayReuse returns why no layer is taken from the registry whatever it has, nil if some may be.
func mayReuse(o Options, remote *RemoteState, graphs []Graph) error {
	switch {
	case remote.unknown:
		return errors.New("the registry did not say what it has")
	case len(o.Outputs) != 1:
		return errors.New("the image has other outputs too")
	case len(o.CacheTo) > 0:
		return errors.New("another cache is written than the one beside the image")
	case !o.usualLayers():
		return errors.New("the layers are not zstd, or the output has attributes")
	case !o.oneRepository():
		return errors.New("the tags are in several repositories")
	case o.Again:
		return errors.New("steps run again")
	case len(graphs) != 1:
		return errors.New("the image has several platforms")
	}
	return nil
}

// take fills the layers that are known and there.
func (r *reuse) take(remote *RemoteState, keys []string) {
	for i, key := range keys {
		l, ok := remote.beliefs.layer(key)
		if !ok || !remote.layers[l.Digest] {
			r.made, r.layers = append(r.made, i), append(r.layers, layerRef{})
			continue
		}
		r.layers = append(r.layers, layerRef{ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayerZstd, Digest: l.Digest, Size: l.Size}, l.Diff})
	}
}

// cheapest is the layer that is had for least: one of the project's files, or else the smallest.
func (r *reuse) cheapest(plan *layerplan.Plan) (at int) {
	cost := func(i int) int64 {
		if plan.Layers[i].FromContext() {
			return 0
		}
		return r.layers[i].desc.Size
	}
	for i := range r.layers {
		if cost(i) < cost(at) {
			at = i
		}
	}
	return at
}

// onlyFiles reports whether nothing has to be made but layers of the project's files.
func (r *reuse) onlyFiles(plan *layerplan.Plan) bool {
	return r.idle || !slices.ContainsFunc(r.made, func(i int) bool { return !plan.Layers[i].FromContext() })
}

// below returns the base's layers, nil unless the repository has all of them.
func (s *RemoteState) below() []layerRef {
	if slices.ContainsFunc(s.base, func(l layerRef) bool { return !s.layers[l.desc.Digest] }) {
		return nil
	}
	return s.base
}

// confirm finds out of the layers that may be taken for some graphs, the base's among them, whether the repository has them.
func confirm(ctx context.Context, r *registry.Client, bases content.Provider, o Options, remote *RemoteState, graphs []Graph) *RemoteState {
	if mayReuse(o, remote, graphs) != nil || !remote.keyed() {
		return remote
	}
	own, err := graphs[0].keys()
	if err != nil || graphs[0].unkeyed(own) != "" {
		return remote
	}
	next := *remote
	if next.base, err = baseLayers(ctx, bases, graphs[0]); err != nil {
		next.base = nil // the daemon exports the base
	}
	var ask []ocispecs.Descriptor
	add := func(d digest.Digest) {
		if !remote.layers[d] && !remote.lost[d] {
			ask = append(ask, ocispecs.Descriptor{Digest: d})
		}
	}
	for _, key := range own {
		if l, ok := remote.beliefs.layer(key); ok {
			add(l.Digest)
		}
	}
	for _, l := range next.base {
		add(l.desc.Digest)
	}
	next.layers = maps.Clone(remote.layers)
	maps.Copy(next.layers, r.Hold(ctx, o.Tags[0], ask).There)
	return &next
}

// partConfig is the compiled config with the history of the layers that are exported.
func (r *reuse) partConfig(g Graph) ([]byte, error) {
	var c ocispecs.Image
	if err := json.Unmarshal(g.Config, &c); err != nil {
		return nil, fmt.Errorf("read the compiled config: %w", err)
	}
	below := c.History[:len(c.History)-len(g.Plan.Layers)]
	var exported []ocispecs.History
	if r.base == nil {
		exported = slices.Clone(below)
	}
	for _, i := range r.made {
		exported = append(exported, c.History[len(below)+i])
	}
	return withKeys(g.Config, map[string]any{"history": exported})
}
