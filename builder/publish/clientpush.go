package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// maxLittle bounds what the client itself sends to a registry, in bytes of compressed layers: an application, not packages.
const maxLittle = 4 << 20

// clientPush pushes the exported image from here: the client has asked which layers of the tag's image the repository has, and the daemon would ask for each
// once more. It also has those of brought. The new blobs are read from the daemon's content store. After an error the tag names what it named before.
func (p Publisher) clientPush(ctx context.Context, m Made, manifest []byte, brought []ocispecs.Descriptor) error {
	there := m.Remote.with(brought)
	missing, size, err := missingBlobs(manifest, there)
	if err != nil {
		return err
	}
	if size > maxLittle {
		return fmt.Errorf("%d bytes of layers are new", size)
	}
	if m.Remote.digest == "" { // of an image that was there every layer was asked for; other tags may have some of these
		held := p.Registry.Hold(ctx, p.Tags[0], missing)
		missing = slices.DeleteFunc(missing, func(b ocispecs.Descriptor) bool { return held.There[b.Digest] })
	}
	eg, egctx := errgroup.WithContext(ctx)
	for _, desc := range missing {
		eg.Go(func() error { return p.Registry.Copy(egctx, p.Tags[0], desc, m.over(p.Content)) })
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	if err := mayTag(ctx, p.BeforeTag); err != nil {
		return &heldError{err}
	}
	return p.Registry.Tag(ctx, p.Tags[0], m.desc, manifest)
}

// missingBlobs lists the config of a manifest and those of its layers that are not there yet, and adds up the layers' bytes.
func missingBlobs(manifest []byte, there map[digest.Digest]bool) (missing []ocispecs.Descriptor, size int64, err error) {
	var m ocispecs.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, 0, fmt.Errorf("read the exported manifest: %w", err)
	}
	missing = []ocispecs.Descriptor{m.Config}
	seen := map[digest.Digest]bool{}
	for _, l := range m.Layers {
		if there[l.Digest] || seen[l.Digest] {
			continue
		}
		seen[l.Digest] = true
		missing = append(missing, l)
		size += l.Size
	}
	return missing, size, nil
}
