package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/kept"
	"github.com/mlbuild/mlbuild/builder/registry"
)

// An image that is put together has the base's layers as an export of everything has them: the base's own blobs, by the base's own manifest, which the daemon has read to
// know the base's config. Another image that stands on the same files may have them compressed in another way, or with annotations of somebody's.

// baseLayers returns the layers of a graph's base as its own manifest names them, an error where that is not to be had or the daemon would export them otherwise.
func baseLayers(ctx context.Context, bases content.Provider, g Graph) ([]layerRef, error) {
	if len(g.Base) == 0 {
		return []layerRef{}, nil
	}
	m, data, err := kept.Image(ctx, bases, registry.DigestOf(g.BaseRef), g.Platform)
	if err != nil {
		return nil, err
	}
	var config ocispecs.Image
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read the base's config: %w", err)
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
