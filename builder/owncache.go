package builder

import (
	"context"
	"slices"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// cacheServes tells whether the profile's own cache may stay as it is. Where everything was built it has to hold every layer, and no step may have run: a
// layer that it has may have come from other inputs, such as the user's over a new base. Where layers were taken from the tag's image, that image serves the next build;
// the cache is for those that cannot start from it (another tag, target or output), and may lack a few wheels that are soon unpacked again.
func (m *making) cacheServes(layers []ocispecs.Descriptor) bool {
	if m.reuse == nil {
		return m.steps.ran == 0 && m.cacheHolds(layers)
	}
	if m.req.NoOwnCache || m.onlyFiles() {
		return true
	}
	lacking, all := m.lacking(layers)
	var bytes int64
	for _, l := range lacking {
		if !quick(m.graphs[0].graph.Plan, l.Layer) && l.Kind != layerplan.KindBytecode {
			return false
		}
		bytes += l.size
	}
	return m.hasCache() && all >= 0 && bytes <= all/maxLacking
}

// onlyFiles tells whether nothing was made but layers of the project's files.
func (m *making) onlyFiles() bool {
	return !slices.ContainsFunc(m.reuse.made, func(i int) bool { return !m.graphs[0].graph.Plan.Layers[i].FromContext() })
}

// maxLacking is the share of an image's packages that its cache may lack: one in so many bytes.
const maxLacking = 4

// hasCache tells whether the profile's own cache is there.
func (m *making) hasCache() bool { return slices.Contains(m.before.caches, ownCaches(m.req, m.v)[0]) }

// cacheHolds tells whether the profile's own cache has every layer that takes work to make again.
func (m *making) cacheHolds(layers []ocispecs.Descriptor) bool {
	if !m.hasCache() || len(m.req.CacheTo) > 0 {
		return m.hasCache() && m.before.digest == m.image.Digest
	}
	lacking, all := m.lacking(layers)
	return all >= 0 && len(lacking) == 0
}

// sized is a layer with its compressed size in bytes.
type sized struct {
	layerplan.Layer
	size int64
}

// lacking lists the layers that take work to make again and are not in the profile's own cache, and adds up the bytes of all that take work, -1 where the layers are not those
// of the plan. The base's need no cache. Nor do the project's files: whoever builds sends them anyway, and copying them is faster than reading a cache.
func (m *making) lacking(layers []ocispecs.Descriptor) (lacking []sized, all int64) {
	for _, c := range m.graphs {
		plan := c.graph.Plan
		n := plan.BaseLayers + len(plan.Layers)
		if n > len(layers) {
			return nil, -1
		}
		for i, own := range plan.Layers {
			l := layers[plan.BaseLayers+i]
			if own.FromContext() {
				continue
			}
			all += l.Size
			if !m.before.cached[l.Digest] {
				lacking = append(lacking, sized{own, l.Size})
			}
		}
		layers = layers[n:]
	}
	if len(layers) > 0 {
		return nil, -1
	}
	return lacking, all
}

// exportCache writes the cache in a solve of its own, after the push. Where nothing was pushed the zstd blobs are made first: the codec in which
// the cache makes a blob would be the layer's from then on.
func (m *making) exportCache(ctx context.Context, w *watcher) error {
	targets := m.cacheTargets()
	if len(targets) == 0 {
		return nil
	}
	if !m.pushes(m.v) {
		if _, err := m.export(ctx, w, []bkclient.ExportEntry{m.firstBlobs()}, m.solveGraphs); err != nil {
			return err
		}
	}
	layers, err := m.throughAnother()
	if err != nil || len(layers) == 0 {
		return err
	}
	opt, err := m.solveOpt(nil)
	if err != nil {
		return err
	}
	opt.CacheExports = clientCaches(targets)
	opt.FrontendAttrs["platform"] = numberedPlatforms(len(layers))
	_, err = m.run(ctx, w, opt, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return m.solveLayers(ctx, gw, layers, m.imports())
	})
	if err == nil && m.brought() {
		_ = m.locate(ctx, w, layers) // the image and the cache are there: without it another project sends more
	}
	return err
}

// brought tells whether most of the image was made in this build, so that no other repository has it.
func (m *making) brought() bool {
	return m.pushes(m.v) && len(m.req.CacheTo) == 0 && m.reuse == nil && m.steps.ran > m.steps.cached
}

// locate has the daemon find the layers in the cache that was just written. It then knows which repository has them, which it does not note of a zstd layer that it
// pushes (BuildKit util/push/push.go), and mounts them from there into the repository of another project.
func (m *making) locate(ctx context.Context, w *watcher, layers []*pb.Definition) error {
	opt, err := m.solveOpt(nil)
	if err != nil {
		return err
	}
	own := []Cache{{Type: "registry", Attrs: map[string]string{"ref": ownCaches(m.req, m.v)[0]}}}
	_, err = m.run(ctx, w, opt, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return m.solveLayers(ctx, gw, layers, own)
	})
	return err
}

// lastOf is the tag beside a profile's cache under which the last image with new layers is noted. A build under a tag that is new takes its layers from there. No name of
// a profile or stage has an underscore.
func lastOf(cache string) string { return cache + "_image" }

// noteLast notes the pushed image for builds under other tags, unless only its files differ from the image that this build started from. Where that fails, they do more work.
func (m *making) noteLast(ctx context.Context, desc ocispecs.Descriptor, data []byte, layers []ocispecs.Descriptor) {
	if m.req.NoOwnCache || m.before.unknown || len(m.graphs) != 1 || !m.usualLayers() || m.startsFrom(layers) {
		return
	}
	_ = m.registry.Tag(ctx, lastOf(ownCaches(m.req, m.v)[0]), desc, data)
}

// startsFrom tells whether the image that the registry had before the build holds all layers but the project's files. Where the layers are not known there is nothing to note.
func (m *making) startsFrom(layers []ocispecs.Descriptor) bool {
	before, err := m.before.image.layers()
	if err != nil {
		before = nil
	}
	plan := m.graphs[0].graph.Plan
	if len(layers) != plan.BaseLayers+len(plan.Layers) {
		return true
	}
	for i, l := range layers {
		if own := i - plan.BaseLayers; own >= 0 && plan.Layers[own].FromContext() {
			continue
		}
		if !slices.ContainsFunc(before, func(b ocispecs.Descriptor) bool { return b.Digest == l.Digest }) {
			return false
		}
	}
	return true
}
