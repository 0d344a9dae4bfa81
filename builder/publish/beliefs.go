package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/trust"
)

// beliefs are the records of layers that a build believes: those of this client about this daemon first, then those that are signed with a key which the user named.
// Nothing else in a registry is believed (docs/trust.md).
type beliefs struct {
	local  trust.Record // of the profile's own image, to be written again
	signed trust.Record // of the same, with the first key that signs
	all    []trust.Record
}

// believe adds a record, unless it is empty.
func (b *beliefs) believe(r trust.Record) {
	if len(r.Layers) > 0 || len(r.Caches) > 0 {
		b.all = append(b.all, r)
	}
}

// writtenBefore lists the profile's own caches as this client's daemon wrote them last, for a daemon that reaches a registry which the client does not.
func (b beliefs) writtenBefore(o Options) (refs []string) {
	if !o.Pushes() || o.NoOwnCache {
		return nil
	}
	for _, cache := range o.OwnCaches() {
		for _, r := range b.all {
			if d, ok := r.Caches[registry.Tag(cache)]; ok {
				refs = append(refs, registry.Repository(cache)+"@"+d.String())
				break
			}
		}
	}
	return refs
}

// layer returns the layer that is believed to be made under a key.
func (b beliefs) layer(key string) (trust.Layer, bool) {
	for _, r := range b.all {
		if l, ok := r.Find(key); ok && isKey(key) {
			return l, true
		}
	}
	return trust.Layer{}, false
}

// cache reports whether a cache is believed to have this manifest.
func (b beliefs) cache(ref string, manifest digest.Digest) bool {
	for _, r := range b.all {
		if r.Caches[registry.Tag(ref)] == manifest {
			return true
		}
	}
	return false
}

// signer returns the key that the records of a build are signed with.
func signer(keys []trust.Key) (trust.Key, bool) {
	for _, k := range keys {
		if k.Signs() {
			return k, true
		}
	}
	return trust.Key{}, false
}

// recordOf is the tag of the record that a key has signed about a profile's image. No name of a profile or stage has an underscore.
func recordOf(cache string, k trust.Key) string { return cache + "_" + k.ID() }

// The annotations of a signed record's manifest.
const (
	recordAnnotation    = "com.github.mlbuild.layers"
	signatureAnnotation = "com.github.mlbuild.layers.signature"
)

// openRecord returns what a record's manifest says, nothing unless the key has signed it.
func openRecord(k trust.Key, manifest []byte) trust.Record {
	var m ocispecs.Manifest
	if json.Unmarshal(manifest, &m) != nil {
		return trust.Record{}
	}
	r, err := k.Open(m.Annotations[recordAnnotation], m.Annotations[signatureAnnotation])
	if err != nil {
		return trust.Record{}
	}
	return r
}

// sealRecord returns the manifest of a signed record. It names the blobs of an image, so that the registry keeps them as long as the record.
func sealRecord(k trust.Key, r trust.Record, image ocispecs.Manifest) ([]byte, error) {
	record, signature, err := k.Sign(r)
	if err != nil {
		return nil, err
	}
	image.Annotations = map[string]string{recordAnnotation: record, signatureAnnotation: signature}
	data, err := json.Marshal(image)
	if err != nil {
		return nil, fmt.Errorf("encode the record's manifest: %w", err)
	}
	return data, nil
}

// remember writes down what the daemon has made for this image, and the manifest of the cache that it has written, if any: in the client's state, and signed beside the image
// where there is a key. It returns what could not be written there. What was made with the help of a cache that the user named is known to nobody.
func (p Publisher) remember(ctx context.Context, m Made, cache digest.Digest) []Unkept {
	if !p.Pushes() || len(p.CacheFrom) > 0 {
		return nil
	}
	var image ocispecs.Manifest
	var layers []trust.Layer
	if len(m.Graphs) == 1 && p.usualLayers() { // of others the cache alone is known
		var err error
		if image, layers, err = layersMade(ctx, p.Content, m); err != nil {
			layers = nil // the next build makes them again
		}
	}
	own, record := p.OwnCaches()[0], cachesBeside(p.repository(), p.Profile, p.Target)[0]
	b := m.Remote.beliefs
	if next, changed := renewed(b.local, layers, registry.Tag(own), cache); changed {
		_ = p.Local.Write(own, next) // a client without a state directory has none
		seeBase(ctx, p.Bases, m.Graphs)
	}
	key, ok := signer(p.Keys)
	if !ok || p.NoOwnCache || m.Remote.unknown {
		return nil
	}
	next, changed := renewed(b.signed, withoutFiles(layers, m.Graphs), registry.Tag(own), cache)
	if !changed {
		return nil
	}
	if image.Config.Digest == "" && p.CacheRepository != "" {
		return nil // a record names blobs of its own repository, and there are none
	}
	if err := writeRecord(ctx, p.Registry, recordOf(record, key), key, next, image, cache); err != nil {
		return []Unkept{{recordOf(record, key), err}}
	}
	return nil
}

// seeBase reads the base's manifest and config, which are kept then: the next build need not ask the daemon for them.
func seeBase(ctx context.Context, bases content.Provider, graphs []Graph) {
	if len(graphs) == 1 && len(graphs[0].Base) > 0 {
		_, _ = baseLayers(ctx, bases, graphs[0])
	}
}

// writeRecord puts a signed record under a tag. It keeps the blobs of the image, or of the cache where the image is no single one.
func writeRecord(ctx context.Context, r *registry.Client, tag string, key trust.Key, record trust.Record, image ocispecs.Manifest, cache digest.Digest) error {
	if image.Config.Digest == "" {
		_, data, err := r.Manifest(ctx, registry.Repository(tag)+"@"+cache.String())
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &image); err != nil {
			return fmt.Errorf("read the cache's manifest: %w", err)
		}
	}
	data, err := sealRecord(key, record, image)
	if err != nil {
		return err
	}
	return r.Tag(ctx, tag, ocispecs.Descriptor{MediaType: image.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, data)
}

// renewed returns a record with what was made since, and whether that is news.
func renewed(r trust.Record, layers []trust.Layer, tag string, cache digest.Digest) (next trust.Record, changed bool) {
	next = r
	if !r.Holds(layers) {
		next, changed = r.With(layers), true
	}
	if cache != "" && r.Caches[tag] != cache {
		next, changed = next.WithCache(tag, cache), true
	}
	return next, changed
}

// withoutFiles leaves out layers of nothing but the project's files: a signed record would be written at each edit, for a layer that every client has at hand.
func withoutFiles(layers []trust.Layer, graphs []Graph) []trust.Layer {
	files := map[string]bool{}
	for _, g := range graphs {
		for i, key := range g.Sent {
			files[key] = files[key] || g.Plan.Layers[i].FromContext()
		}
	}
	return slices.DeleteFunc(slices.Clone(layers), func(l trust.Layer) bool { return files[l.Key] })
}

// layersMade returns the manifest of an exported image of one platform, and its layers that have keys.
func layersMade(ctx context.Context, daemon content.Provider, m Made) (image ocispecs.Manifest, layers []trust.Layer, err error) {
	data, err := exportedManifest(ctx, daemon, m.Exported)
	if err != nil {
		return image, nil, err
	}
	if err := json.Unmarshal(data, &image); err != nil {
		return image, nil, fmt.Errorf("read the exported manifest: %w", err)
	}
	config, err := content.ReadBlob(ctx, m.over(daemon), image.Config)
	if err != nil {
		return image, nil, fmt.Errorf("read the exported config: %w", err)
	}
	var c ocispecs.Image
	if err := json.Unmarshal(config, &c); err != nil {
		return image, nil, fmt.Errorf("read the exported config: %w", err)
	}
	g := m.Graphs[0]
	own, err := g.made()
	if err != nil {
		return image, nil, err
	}
	below := len(image.Layers) - len(own)
	if below != g.Plan.BaseLayers || len(c.RootFS.DiffIDs) != len(image.Layers) {
		return image, nil, errors.New("the exported image has other layers than the graph")
	}
	for i, key := range own {
		l := image.Layers[below+i]
		if isKey(key) && l.MediaType == ocispecs.MediaTypeImageLayerZstd {
			layers = append(layers, trust.Layer{Key: key, Digest: l.Digest, Size: l.Size, Diff: c.RootFS.DiffIDs[below+i]})
		}
	}
	return image, layers, nil
}
