package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// An edit changes the layer of the project's files, a new version of a package that package's layer, a new base the layers that are made on it, and the history of the
// image under the tag says by what each of its layers was made (llb.Compile). Layers that the graph would make again are taken from there: the daemon builds and exports the
// others alone, and the client puts the image together. Nobody then looks at the other packages, on a daemon that has them as on one that does not. The image is byte for byte
// the one that the daemon would export.

// reuse is an image of which some layers are taken from the registry's.
type reuse struct {
	base   []layerRef     // the base's layers, nil = they are exported with the others
	layers []layerRef     // as in Plan.Layers; those to be made are empty
	made   []int          // the layers to be made, in Plan.Layers
	part   *pb.Definition // makes them
}

// reusable returns what can be taken from the registry's image, or why nothing is.
func reusable(o Options, remote *RemoteState, graphs []Graph) (*reuse, error) {
	if err := mayReuse(o, remote, graphs); err != nil {
		return nil, err
	}
	g := graphs[0]
	own, err := g.history()
	if err != nil {
		return nil, err
	}
	if name := g.unkeyed(own); name != "" {
		return nil, fmt.Errorf("nobody can tell from outside what the layer %s is made of", name)
	}
	all, history, err := remote.image.refs()
	if err != nil {
		return nil, errors.New("the repository has no image whose layers are known")
	}
	r := &reuse{base: below(all, g.Base)}
	r.take(byKey(all, history), own)
	if len(r.made) == len(own) {
		return nil, errors.New("every layer is new")
	}
	if len(r.made) == 0 && r.base != nil {
		r.made = []int{r.smallest()}
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

// take fills the layers that are there.
func (r *reuse) take(there map[string]layerRef, own []ocispecs.History) {
	for i, h := range own {
		l, ok := there[h.Comment]
		if !ok {
			r.made = append(r.made, i)
		}
		r.layers = append(r.layers, l)
	}
}

// smallest is the layer that costs least: where nothing has to be made it is exported for the config that comes with it.
func (r *reuse) smallest() (at int) {
	for i, l := range r.layers {
		if l.desc.Size < r.layers[at].desc.Size {
			at = i
		}
	}
	return at
}

// onlyFiles reports whether nothing is made but layers of the project's files.
func (r *reuse) onlyFiles(plan *layerplan.Plan) bool {
	return !slices.ContainsFunc(r.made, func(i int) bool { return !plan.Layers[i].FromContext() })
}

// below returns the layers of the base, if that is what the image stands on; else nil.
func below(all []layerRef, base []digest.Digest) []layerRef {
	if len(all) < len(base) {
		return nil
	}
	for i, d := range base {
		if all[i].diff != d {
			return nil
		}
	}
	return all[:len(base):len(base)]
}

// byKey returns the layers that have a key, zstd as mlbuild pushes them.
func byKey(all []layerRef, history []ocispecs.History) map[string]layerRef {
	there := map[string]layerRef{}
	for i, l := range all {
		if isKey(history[i].Comment) && l.desc.MediaType == ocispecs.MediaTypeImageLayerZstd {
			there[history[i].Comment] = l
		}
	}
	return there
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
