package kept

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image returns the manifest and the config of an image by the digest of its manifest or index, for a platform. An error: the store lacks one of them, or
// they are not what they should be.
func Image(ctx context.Context, store content.Provider, d string, p ocispecs.Platform) (m ocispecs.Manifest, config []byte, err error) {
	desc, err := named(ctx, store, d)
	if err != nil {
		return m, nil, err
	}
	if m, err = images.Manifest(ctx, store, desc, platforms.Only(p)); err != nil {
		return m, nil, fmt.Errorf("read the base's manifest: %w", err)
	}
	if config, err = content.ReadBlob(ctx, store, m.Config); err != nil {
		return m, nil, fmt.Errorf("read the base's config: %w", err)
	}
	return m, config, nil
}

// named returns the descriptor of a manifest or index that the store has.
func named(ctx context.Context, store content.Provider, d string) (desc ocispecs.Descriptor, err error) {
	if desc.Digest, err = digest.Parse(d); err != nil {
		return desc, fmt.Errorf("the base's digest: %w", err)
	}
	data, err := content.ReadBlob(ctx, store, desc)
	if err != nil {
		return desc, fmt.Errorf("read the base's manifest: %w", err)
	}
	if digest.FromBytes(data) != desc.Digest {
		return desc, errors.New("it is another manifest than the base's")
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
