package publish

import (
	"context"
	"slices"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// Imports returns the caches that a build of the graphs reads: its own, those that are there, and what the user names.
func (p Publisher) Imports(remote *RemoteState, graphs []Graph) []Cache {
	own := remote.caches
	if remote.unknown && p.Pushes() && !p.NoOwnCache {
		own = p.OwnCaches()
	}
	if len(own) > 0 && p.Records.hold(graphs) {
		own = nil
	}
	return p.withOwn(own)
}

// maxQuick bounds the wheels, in bytes of downloads, that are made again rather than looked for in a cache.
const maxQuick = 64 << 20

// partImports returns the caches that a part reads: none where it is made as fast as a cache is read.
func (p Publisher) partImports(d Decided) []Cache {
	plan, files, bytes := d.Graphs[0].Plan, 0, int64(0)
	for _, i := range d.Plan.reuse.made {
		l := plan.Layers[i]
		if l.FromContext() {
			files++
		} else if !quick(plan, l) {
			return p.Imports(d.Remote, d.Graphs)
		}
		bytes += l.Size
	}
	if files > 1 || bytes > maxQuick { // of several layers of files one may be bytecode, which needs the packages
		return p.Imports(d.Remote, d.Graphs)
	}
	return nil
}

// quick reports whether a layer that is not sent is soon made again. Accounts are made on the system packages and on what hooks leave, where there are any.
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

// cacheServes reports whether the profile's own cache may stay as it is. Where everything was built it has to hold every layer, and no step may have run: a
// layer that it has may have come from other inputs, such as the user's over a new base. Where layers were taken from the tag's image, that image serves the next build;
// the cache is for those that cannot start from it (another tag, target or output), and may lack a few wheels that are soon unpacked again.
func (o Options) cacheServes(m Made, layers []ocispecs.Descriptor) bool {
	if m.Plan.Whole() {
		return m.Steps.Ran == 0 && o.cacheHolds(m, layers)
	}
	plan := m.Graphs[0].Plan
	if o.NoOwnCache || m.Plan.reuse.onlyFiles(plan) {
		return true
	}
	lacking, all := m.lacking(layers)
	var bytes int64
	for _, l := range lacking {
		if !quick(plan, l.Layer) && l.Kind != layerplan.KindBytecode {
			return false
		}
		bytes += l.size
	}
	return o.hasCache(m.Remote) && all >= 0 && bytes <= all/maxLacking
}

// maxLacking is the share of an image's packages that its cache may lack: one in so many bytes.
const maxLacking = 4

// hasCache reports whether the profile's own cache is there.
func (o Options) hasCache(remote *RemoteState) bool {
	return slices.Contains(remote.caches, o.OwnCaches()[0])
}

// cacheHolds reports whether the profile's own cache has every layer that takes work to make again.
func (o Options) cacheHolds(m Made, layers []ocispecs.Descriptor) bool {
	if !o.hasCache(m.Remote) || len(o.CacheTo) > 0 {
		return o.hasCache(m.Remote) && m.Remote.digest == m.Digest
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
func (d Decided) lacking(layers []ocispecs.Descriptor) (lacking []sized, all int64) {
	for _, g := range d.Graphs {
		n := g.Plan.BaseLayers + len(g.Plan.Layers)
		if n > len(layers) {
			return nil, -1
		}
		for i, own := range g.Plan.Layers {
			l := layers[g.Plan.BaseLayers+i]
			if own.FromContext() {
				continue
			}
			all += l.Size
			if !d.Remote.cached[l.Digest] {
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
//
// The layers' local files come from a second session. Within one session the daemon knows a local source by the session's id and never looks at its contents: a cache
// exported from such a solve would hold keys that no other build can have.
func (p Publisher) exportCache(ctx context.Context, m Made) error {
	targets := p.CacheTargets()
	if len(targets) == 0 {
		return nil
	}
	if !p.Pushes() {
		_, err := p.Run(ctx, Run{Exports: []bkclient.ExportEntry{p.FirstBlobs()}}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
			return p.solveGraphs(ctx, gw, m.Decided)
		})
		if err != nil {
			return err
		}
	}
	var layers []*pb.Definition
	for _, g := range m.Graphs {
		of, err := g.Apart()
		if err != nil {
			return err
		}
		layers = append(layers, of...)
	}
	if len(layers) == 0 {
		return nil
	}
	_, err := p.Run(ctx, Run{Caches: targets, Platforms: numberedPlatforms(len(layers))}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return solveLayers(ctx, gw, layers, p.Imports(m.Remote, m.Graphs))
	})
	if err == nil && p.brought(m) {
		_ = p.locate(ctx, layers) // the image and the cache are there: without it another project sends more
	}
	return err
}

// brought reports whether most of the image was made in this build, so that no other repository has it.
func (o Options) brought(m Made) bool {
	return o.Pushes() && len(o.CacheTo) == 0 && m.Plan.Whole() && m.Steps.Ran > m.Steps.Cached
}

// locate has the daemon find the layers in the cache that was just written. It then knows which repository has them, which it does not note of a zstd layer that it
// pushes (BuildKit util/push/push.go), and mounts them from there into the repository of another project.
func (p Publisher) locate(ctx context.Context, layers []*pb.Definition) error {
	own := []Cache{{Type: registryCache, Attrs: p.reached(map[string]string{"ref": p.OwnCaches()[0]})}}
	_, err := p.Run(ctx, Run{}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return solveLayers(ctx, gw, layers, own)
	})
	return err
}

// lastOf is the tag beside a profile's cache under which the last image with new layers is noted. A build under a tag that is new takes its layers from there. No name of
// a profile or stage has an underscore.
func lastOf(cache string) string { return cache + "_image" }

// noteLast notes the pushed image for builds under other tags, unless only its files differ from the image that this build started from. Where that fails, they do more work.
func (p Publisher) noteLast(ctx context.Context, m Made, desc ocispecs.Descriptor, data []byte, layers []ocispecs.Descriptor) error {
	if p.NoOwnCache || m.Remote.unknown || len(m.Graphs) != 1 || !p.usualLayers() || m.startsFrom(layers) {
		return nil
	}
	return p.Registry.Tag(ctx, lastOf(p.OwnCaches()[0]), desc, data)
}

// startsFrom reports whether the image that the registry had before the build holds all layers but the project's files. Where the layers are not known there is nothing to note.
func (d Decided) startsFrom(layers []ocispecs.Descriptor) bool {
	before, err := d.Remote.image.layers()
	if err != nil {
		before = nil
	}
	plan := d.Graphs[0].Plan
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
