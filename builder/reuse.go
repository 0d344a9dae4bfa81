package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// An edit changes the layer of the project's files, a new version of a package that package's layer, a new base the layers that are made on it, and the history of the
// image under the tag says by what each of its layers was made (llb.Compile). Layers that the graph would make again are taken from there: the daemon builds and exports the
// others alone, and the client puts the image together. Nobody then looks at the other packages, on a daemon that has them as on one that does not. The image is byte for byte
// the one that the daemon would export.

// reuse is an image of which some layers are taken from the tag's.
type reuse struct {
	base   []filled       // the base's layers, nil = they are exported with the others
	layers []filled       // as in Plan.Layers; those to be made are empty
	made   []int          // the layers to be made, in Plan.Layers
	part   *pb.Definition // makes them
}

// filled is a layer as it is in a registry, and its digest when unpacked.
type filled struct {
	desc ocispecs.Descriptor
	diff digest.Digest
}

// reuses gives what can be taken from the tag's image, nil if it is nothing.
func (m *making) reuses() *reuse {
	if m.full || m.before.unknown || !m.onlyPushes() || len(m.req.NoCache) > 0 || len(m.graphs) != 1 {
		return nil
	}
	c := m.graphs[0]
	own, err := ownHistory(c.graph)
	if err != nil || !allKeyed(c.graph.Plan, own) {
		return nil
	}
	all, history, err := m.before.image.filled()
	if err != nil {
		return nil
	}
	r := &reuse{base: below(all, c.inputs.Base.Config.RootFS.DiffIDs)}
	r.take(byKey(all, history), own)
	if len(r.made) == len(own) {
		return nil
	}
	if len(r.made) == 0 && r.base != nil {
		r.made = []int{r.smallest()}
	}
	if r.part, err = c.graph.Part(r.base == nil, r.made); err != nil || r.part == nil {
		return nil
	}
	return r
}

// take fills the layers that are there.
func (r *reuse) take(there map[string]filled, own []ocispecs.History) {
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

// onlyPushes tells whether the image goes to one repository, with the usual layers, and nowhere else.
func (m *making) onlyPushes() bool {
	if len(m.req.Outputs) != 1 || len(m.req.CacheTo) > 0 || !m.pushes(m.v) || !m.usualLayers() {
		return false
	}
	return !slices.ContainsFunc(m.v.Tags, func(t string) bool { return registry.Repository(t) != registry.Repository(m.v.Tags[0]) })
}

// usualLayers tells whether the layers are zstd, as the exporter makes them unless it is told more.
func (m *making) usualLayers() bool {
	return (m.req.Compression == "" || m.req.Compression == recipe.Zstd) && !slices.ContainsFunc(m.req.Outputs, func(o Output) bool { return len(o.Attrs) > 0 })
}

// allKeyed tells whether every layer that is not sent is known by a key in the history.
func allKeyed(plan *layerplan.Plan, own []ocispecs.History) bool {
	for i, l := range plan.Layers {
		if !l.FromContext() && own[i].Comment == "" {
			return false
		}
	}
	return true
}

// ownHistory gives the entries of the graph's own layers.
func ownHistory(g *llb.Graph) ([]ocispecs.History, error) {
	var c ocispecs.Image
	if err := json.Unmarshal(g.Config, &c); err != nil {
		return nil, fmt.Errorf("read the compiled config: %w", err)
	}
	if len(c.History) < len(g.Plan.Layers) {
		return nil, errors.New("the compiled config does not tell of every layer")
	}
	return c.History[len(c.History)-len(g.Plan.Layers):], nil
}

// keyed tells whether the image under the tag may have layers that can be reused.
func (s *seen) keyed() bool {
	var c ocispecs.Image
	return json.Unmarshal(s.image.config, &c) == nil && slices.ContainsFunc(c.History, func(h ocispecs.History) bool { return isKey(h.Comment) })
}

func isKey(comment string) bool { return digest.Digest(comment).Validate() == nil }

// filled gives the layers of an image, and the entry of its history for each.
func (p placed) filled() ([]filled, []ocispecs.History, error) {
	layers, err := p.layers()
	if err != nil {
		return nil, nil, err
	}
	var c ocispecs.Image
	if err := json.Unmarshal(p.config, &c); err != nil {
		return nil, nil, fmt.Errorf("read the config of %s: %w", p.desc.Digest, err)
	}
	history := slices.DeleteFunc(c.History, func(h ocispecs.History) bool { return h.EmptyLayer })
	if len(c.RootFS.DiffIDs) != len(layers) || len(history) != len(layers) {
		return nil, nil, fmt.Errorf("%s does not tell of every layer", p.desc.Digest)
	}
	all := make([]filled, len(layers))
	for i, l := range layers {
		all[i] = filled{l, c.RootFS.DiffIDs[i]}
	}
	return all, history, nil
}

// below gives the layers of the base, if that is what the image stands on; else nil.
func below(all []filled, base []digest.Digest) []filled {
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

// byKey gives the layers that have a key, zstd as mlbuild pushes them.
func byKey(all []filled, history []ocispecs.History) map[string]filled {
	there := map[string]filled{}
	for i, l := range all {
		if isKey(history[i].Comment) && l.desc.MediaType == ocispecs.MediaTypeImageLayerZstd {
			there[history[i].Comment] = l
		}
	}
	return there
}

// layers reads the manifest.
func (p placed) layers() ([]ocispecs.Descriptor, error) {
	var m ocispecs.Manifest
	if err := json.Unmarshal(p.data, &m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", p.desc.Digest, err)
	}
	return m.Layers, nil
}

// solvePart has the layers that are to be made solved alone, as an image with the config and the history that they have in the whole one.
func (m *making) solvePart(ctx context.Context, gw gateway.Client, imports []Cache) (*gateway.Result, error) {
	c := m.graphs[0]
	config, err := m.reuse.partConfig(c.graph)
	if err != nil {
		return nil, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: m.reuse.part, Evaluate: true, CacheImports: gatewayCaches(imports)})
	if err != nil {
		return nil, m.explainDownload(ctx, gw, &c, err)
	}
	res.AddMeta(exptypes.ExporterImageConfigKey, config)
	return res, nil
}

// maxQuick bounds the wheels, in bytes of downloads, that are made again rather than looked for in a cache.
const maxQuick = 64 << 20

// partImports lists the caches that a part reads: none where it is made as fast as a cache is read.
func (m *making) partImports() []Cache {
	plan, files, bytes := m.graphs[0].graph.Plan, 0, int64(0)
	for _, i := range m.reuse.made {
		l := plan.Layers[i]
		if l.FromContext() {
			files++
		} else if !quick(plan, l) {
			return m.imports()
		}
		bytes += l.Size
	}
	if files > 1 || bytes > maxQuick { // of several layers of files one may be bytecode, which needs the packages
		return m.imports()
	}
	return nil
}

// quick tells whether a layer that is not sent is soon made again. Accounts are made on the system packages and on what hooks leave, where there are any.
func quick(plan *layerplan.Plan, l layerplan.Layer) bool {
	switch l.Kind {
	case layerplan.KindWheels:
		return l.Size > 0
	case layerplan.KindSkeleton:
		return true
	case layerplan.KindAccount:
		return !slices.ContainsFunc(plan.Layers, func(l layerplan.Layer) bool { return l.Kind == layerplan.KindSystem || l.Kind == layerplan.KindRun })
	}
	return false
}

// partConfig is the compiled config with the history of the layers that are exported.
func (r *reuse) partConfig(g *llb.Graph) ([]byte, error) {
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

// sendPart has the daemon push the layers that were made, as an image of their own that has no tag, and pushes what is left of the whole one from here.
func (m *making) sendPart(ctx context.Context, w *watcher) error {
	entry := m.pushEntry(registry.Repository(m.v.Tags[0]))
	entry.Attrs["push-by-digest"] = "true"
	resp, err := m.export(ctx, w, []bkclient.ExportEntry{entry}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return m.solvePart(ctx, gw, m.partImports())
	})
	if err != nil {
		return err
	}
	if got := resp.ExporterResponse[exptypes.ExporterImageDigestKey]; got != m.part.digest.String() {
		return fmt.Errorf("the daemon pushed %s, and had made %s", got, m.part.digest)
	}
	there := map[digest.Digest]bool{}
	for _, l := range m.part.manifest.Layers {
		there[l.Digest] = true
	}
	return m.sendLittle(ctx, there)
}
