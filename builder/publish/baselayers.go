package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
)

// An image that is put together has the base's layers as an export of everything has them: the base's own blobs, by the base's own manifest, which the daemon has read to
// know the base's config. Another image that stands on the same files may have them compressed in another way, or with annotations of somebody's.

// baseLayers returns the layers of a graph's base as its own manifest names them, an error where the daemon does not have that any more or would export them otherwise.
func baseLayers(ctx context.Context, daemon content.Provider, g Graph) ([]layerRef, error) {
	if len(g.Base) == 0 {
		return []layerRef{}, nil
	}
	m, config, err := baseManifest(ctx, daemon, g)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(config.RootFS.DiffIDs, g.Base) || len(m.Layers) != len(g.Base) {
		return nil, errors.New("the base's manifest is of other layers")
	}
	all := make([]layerRef, len(m.Layers))
	for i, l := range m.Layers {
		kind, ok := exportedTypes[l.MediaType]
		if !ok || len(l.Annotations) > 0 || len(l.URLs) > 0 {
			return nil, fmt.Errorf("the daemon knows best how a layer of type %s is exported", l.MediaType)
		}
		all[i] = layerRef{ocispecs.Descriptor{MediaType: kind, Digest: l.Digest, Size: l.Size}, g.Base[i]}
	}
	return all, nil
}

// exportedTypes are the types that BuildKit gives a base's layers in an OCI image (util/compression, toOCILayerType).
var exportedTypes = map[string]string{
	ocispecs.MediaTypeImageLayer:           ocispecs.MediaTypeImageLayer,
	ocispecs.MediaTypeImageLayerGzip:       ocispecs.MediaTypeImageLayerGzip,
	ocispecs.MediaTypeImageLayerZstd:       ocispecs.MediaTypeImageLayerZstd,
	images.MediaTypeDockerSchema2Layer:     ocispecs.MediaTypeImageLayer,
	images.MediaTypeDockerSchema2LayerGzip: ocispecs.MediaTypeImageLayerGzip,
	images.MediaTypeDockerSchema2LayerZstd: ocispecs.MediaTypeImageLayerZstd,
}

// baseManifest reads the manifest and the config of a graph's base from the daemon's store.
func baseManifest(ctx context.Context, daemon content.Provider, g Graph) (m ocispecs.Manifest, config ocispecs.Image, err error) {
	desc, err := storedManifest(ctx, daemon, registry.DigestOf(g.BaseRef))
	if err != nil {
		return m, config, err
	}
	if m, err = images.Manifest(ctx, daemon, desc, platforms.Only(g.Platform)); err != nil {
		return m, config, fmt.Errorf("read the base's manifest: %w", err)
	}
	data, err := content.ReadBlob(ctx, daemon, m.Config)
	if err != nil {
		return m, config, fmt.Errorf("read the base's config: %w", err)
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return m, config, fmt.Errorf("read the base's config: %w", err)
	}
	return m, config, nil
}

// storedManifest returns the descriptor of a manifest or index that the daemon has.
func storedManifest(ctx context.Context, daemon content.Provider, d string) (desc ocispecs.Descriptor, err error) {
	if desc.Digest, err = digest.Parse(d); err != nil {
		return desc, fmt.Errorf("the base's digest: %w", err)
	}
	data, err := content.ReadBlob(ctx, daemon, desc)
	if err != nil {
		return desc, fmt.Errorf("read the base's manifest: %w", err)
	}
	if digest.FromBytes(data) != desc.Digest {
		return desc, errors.New("the daemon sent another manifest than the base's")
	}
	desc.Size = int64(len(data))
	var m struct {
		MediaType string            `json:"mediaType"`
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return desc, fmt.Errorf("read the base's manifest: %w", err)
	}
	switch {
	case m.MediaType != "":
		desc.MediaType = m.MediaType
	case m.Manifests != nil: // in an OCI index or manifest the type may be left out
		desc.MediaType = ocispecs.MediaTypeImageIndex
	default:
		desc.MediaType = ocispecs.MediaTypeImageManifest
	}
	return desc, nil
}
