package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// Imports returns the caches that a build of the graphs reads: its own, those that are believed, and what the user names.
func (p Publisher) Imports(remote *RemoteState, graphs []Graph) []Cache {
	own := remote.imports
	if len(own) > 0 && p.Records.hold(graphs) {
		own = nil
	}
	return p.withOwn(own)
}

// CachesReadable returns an error if the profile's own caches, where a build may have read them, have lost something. A cache in which anything is missing is none:
// the daemon finds out when it needs that very layer, and then it is too late to make it.
func CachesReadable(ctx context.Context, r *registry.Client, d Decided) error {
	for _, ref := range d.Remote.imports {
		desc, data, err := r.Manifest(ctx, ref)
		if err != nil {
			return fmt.Errorf("read the cache: %w", err)
		}
		layers, err := r.Layers(ctx, ref, desc, data)
		if err != nil {
			return fmt.Errorf("read the cache: %w", err)
		}
		var m ocispecs.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("read the cache: %w", err)
		}
		blobs := append([]ocispecs.Descriptor{m.Config}, layers...)
		held := r.Hold(ctx, ref, blobs)
		for _, b := range blobs {
			if !held.There[b.Digest] {
				return fmt.Errorf("the registry does not have %s of %s", b.Digest, ref)
			}
		}
	}
	return nil
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
	return m.Remote.has(o.OwnCaches()[0]) && all >= 0 && bytes <= all/maxLacking
}

// maxLacking is the share of an image's packages that its cache may lack: one in so many bytes.
const maxLacking = 4

// has reports whether a cache of the profile's is there.
func (s *RemoteState) has(cache string) bool { return slices.Contains(s.caches, cache) }

// cacheHolds reports whether the profile's own cache has every layer that takes work to make again.
func (o Options) cacheHolds(m Made, layers []ocispecs.Descriptor) bool {
	if !m.Remote.has(o.OwnCaches()[0]) || len(o.CacheTo) > 0 {
		return m.Remote.has(o.OwnCaches()[0]) && m.Remote.digest == m.Digest
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

// exportCache writes the cache in a solve of its own, after the push, and returns the digest of its manifest where it is the profile's own. Where nothing was pushed the zstd blobs are made first: the codec in which
// the cache makes a blob would be the layer's from then on.
//
// The layers' local files come from a second session. Within one session the daemon knows a local source by the session's id and never looks at its contents: a cache
// exported from such a solve would hold keys that no other build can have.
func (p Publisher) exportCache(ctx context.Context, m Made) (manifest digest.Digest, err error) {
	targets := p.CacheTargets()
	if len(targets) == 0 {
		return "", nil
	}
	if !p.Pushes() {
		_, err := p.Run(ctx, Run{Exports: []bkclient.ExportEntry{p.FirstBlobs()}}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
			return p.solveGraphs(ctx, gw, m.Decided)
		})
		if err != nil {
			return "", err
		}
	}
	var layers []*pb.Definition
	for _, g := range m.Graphs {
		of, err := g.Apart()
		if err != nil {
			return "", err
		}
		layers = append(layers, of...)
	}
	if len(layers) == 0 {
		return "", nil
	}
	resp, err := p.Run(ctx, Run{Caches: targets, Platforms: numberedPlatforms(len(layers))}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return solveLayers(ctx, gw, layers, p.Imports(m.Remote, m.Graphs))
	})
	if err != nil {
		return "", err
	}
	if len(p.CacheTo) == 0 {
		manifest = writtenCache(resp)
	}
	if p.brought(m) {
		_ = p.locate(ctx, layers, manifest) // the image and the cache are there: without it another project sends more
	}
	return manifest, nil
}

// cacheManifestKey is where the daemon says which manifest of a cache it has written (BuildKit cache/remotecache, ExporterResponseManifestDesc).
const cacheManifestKey = "cache.manifest"

// writtenCache returns the digest of the cache's manifest that the daemon has written, "" where it does not say.
func writtenCache(resp *bkclient.SolveResponse) digest.Digest {
	var desc ocispecs.Descriptor
	if json.Unmarshal([]byte(resp.ExporterResponse[cacheManifestKey]), &desc) != nil || desc.Digest.Validate() != nil {
		return ""
	}
	return desc.Digest
}

// brought reports whether most of the image was made in this build, so that no other repository has it.
func (o Options) brought(m Made) bool {
	return o.Pushes() && len(o.CacheTo) == 0 && m.Plan.Whole() && m.Steps.Ran > m.Steps.Cached
}

// locate has the daemon find the layers in the cache that was just written. It then knows which repository has them, which it does not note of a zstd layer that it
// pushes (BuildKit util/push/push.go), and mounts them from there into the repository of another project.
func (p Publisher) locate(ctx context.Context, layers []*pb.Definition, manifest digest.Digest) error {
	if manifest == "" {
		return nil
	}
	own := []Cache{{Type: registryCache, Attrs: p.reached(map[string]string{"ref": registry.Repository(p.OwnCaches()[0]) + "@" + manifest.String()})}}
	_, err := p.Run(ctx, Run{}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return solveLayers(ctx, gw, layers, own)
	})
	return err
}
