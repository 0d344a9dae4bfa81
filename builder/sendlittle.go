package builder

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// maxLittle bounds what the client itself sends to a registry, in bytes of compressed layers: an application, not packages.
const maxLittle = 4 << 20

// sendLittle pushes the exported image from here, if little of it is new: the client knows from the tag and the caches which layers the repository
// has, while the daemon asks for each. So it has those of brought. The new blobs are read from the daemon's content store. After an error the tag names what it named
// before.
func (m *making) sendLittle(ctx context.Context, brought map[digest.Digest]bool) error {
	if m.before.unknown || !images.IsManifestType(m.exported.MediaType) {
		return fmt.Errorf("%s is not known to lack little", m.v.Tags[0])
	}
	store := m.blobs()
	data, err := content.ReadBlob(ctx, store, m.exported)
	if err != nil {
		return fmt.Errorf("read the exported manifest: %w", err)
	}
	missing, err := missingBlobs(data, m.before.layers, brought)
	if err != nil {
		return err
	}
	eg, egctx := errgroup.WithContext(ctx)
	for _, desc := range missing {
		eg.Go(func() error { return m.registry.Copy(egctx, m.v.Tags[0], desc, store) })
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	if err := m.registry.Tag(ctx, m.v.Tags[0], m.exported, data); err != nil {
		return err
	}
	m.sent = data
	return nil
}

// missingBlobs lists the config of a manifest and those of its layers that are not there yet. More than maxLittle bytes are an error.
func missingBlobs(manifest []byte, there, brought map[digest.Digest]bool) ([]ocispecs.Descriptor, error) {
	var m ocispecs.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("read the exported manifest: %w", err)
	}
	missing, size, seen := []ocispecs.Descriptor{m.Config}, int64(0), map[digest.Digest]bool{}
	for _, l := range m.Layers {
		if there[l.Digest] || brought[l.Digest] || seen[l.Digest] {
			continue
		}
		seen[l.Digest] = true
		missing = append(missing, l)
		size += l.Size
	}
	if size > maxLittle {
		return nil, fmt.Errorf("%d bytes of layers are new", size)
	}
	return missing, nil
}
