package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
)

// An edit of the project's files changes one layer, and the history of the image under the tag says by what each of the others was made
// (llb.Compile). Where those are what the graph would make again, the daemon builds and exports the project's files alone, and the client puts the image together:
// neither of them then looks at a package, on a daemon that has them as on one that does not. The image is byte for byte the one that the daemon would export.

// reuses tells whether the tag's image has every layer but the project's files, and the profile's cache too.
func (m *making) reuses() bool {
	if m.full || m.before.unknown || !m.onlyPushes() || len(m.req.NoCache) > 0 || len(m.graphs) != 1 || !m.looksAlike() {
		return false
	}
	layers, err := m.before.image.layers()
	g := m.graphs[0].graph
	if err != nil || !ours(layers, g.Plan) || !allKeyed(g) {
		return false
	}
	return m.req.NoOwnCache || m.cacheHolds(layers)
}

// ours tells whether an image has as many layers as planned, the planned ones as mlbuild pushes them.
func ours(layers []ocispecs.Descriptor, plan *llb.Plan) bool {
	return len(layers) == plan.BaseLayers+len(plan.Layers) && !slices.ContainsFunc(layers[plan.BaseLayers:], func(l ocispecs.Descriptor) bool {
		return l.MediaType != ocispecs.MediaTypeImageLayerZstd
	})
}

// onlyPushes tells whether the image goes to a registry, as zstd, and nowhere else.
func (m *making) onlyPushes() bool {
	if len(m.req.Outputs) != 1 || len(m.req.CacheTo) > 0 || !m.pushes(m.v) {
		return false
	}
	o := m.req.Outputs[0]
	return len(o.Attrs) == 0 && (m.req.Compression == "" || m.req.Compression == "zstd")
}

// allKeyed tells whether one layer is sent, and every other is known by a key in the history.
func allKeyed(g *llb.Graph) bool {
	own, err := ownHistory(g)
	if err != nil {
		return false
	}
	for i, l := range g.Plan.Layers {
		if !l.Sent() && own[i].Comment == "" {
			return false
		}
	}
	return len(g.Plan.SentPlaces()) == 1
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
	return json.Unmarshal(s.image.config, &c) == nil && slices.ContainsFunc(c.History, func(h ocispecs.History) bool {
		return digest.Digest(h.Comment).Validate() == nil
	})
}

// layers reads the manifest.
func (p placed) layers() ([]ocispecs.Descriptor, error) {
	var m ocispecs.Manifest
	if err := json.Unmarshal(p.data, &m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", p.desc.Digest, err)
	}
	return m.Layers, nil
}

// solveSent has the project's files solved alone, as an image with the config and the history that they have in the whole one.
func (m *making) solveSent(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
	c := m.graphs[0]
	def, err := c.graph.Sent()
	if err != nil {
		return nil, err
	}
	config, err := sentConfig(c.graph)
	if err != nil {
		return nil, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return nil, err
	}
	res.AddMeta(exptypes.ExporterImageConfigKey, config)
	return res, nil
}

// sentConfig is the compiled config with the history of the layers that are sent.
func sentConfig(g *llb.Graph) ([]byte, error) {
	own, err := ownHistory(g)
	if err != nil {
		return nil, err
	}
	var sent []ocispecs.History
	for _, at := range g.Plan.SentPlaces() {
		sent = append(sent, own[at-g.Plan.BaseLayers])
	}
	return withKeys(g.Config, map[string]any{"history": sent})
}
