package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
)

// A daemon that knows another repository of the same registry which has a layer asks the registry to take it from there (distribution spec, endpoint 11). BuildKit gives up
// where that is refused with anything but 401, though nobody said that the layer itself may not be sent. So such layers are sent from here, and the daemon finds them there.

// Store is what the daemon holds.
type Store interface {
	content.Provider
	content.InfoProvider
}

// Sends reports whether layers that a registry does not mount can be sent from here: those of one image.
func (o Options) Sends(d Decided) bool {
	return o.Pushes() && len(d.Graphs) == 1 && !d.Remote.unknown
}

// sendMounts sends from here what the registry lacks of an image and the daemon has, for the registry may have refused to mount that. Which layers the daemon wanted to have
// mounted it does not say; the smallest goes first, so that a registry which takes nothing refuses that one. It returns what failed before where there is nothing to send or
// something else is in the way.
func sendMounts(ctx context.Context, r *registry.Client, daemon Store, o Options, m Made, failed error) error {
	lacks, err := sendable(ctx, r, daemon, o.Tags[0], m)
	if err != nil || len(lacks) == 0 {
		return failed
	}
	for _, b := range lacks {
		if err := r.Copy(ctx, o.Tags[0], b, m.over(daemon)); err != nil {
			return failed
		}
	}
	return nil
}

// sendable lists the blobs of an exported image that the registry lacks and the daemon has, the smallest first.
func sendable(ctx context.Context, r *registry.Client, daemon Store, ref string, m Made) ([]ocispecs.Descriptor, error) {
	data, err := exportedManifest(ctx, daemon, m.Exported)
	if err != nil {
		return nil, err
	}
	var image ocispecs.Manifest
	if err := json.Unmarshal(data, &image); err != nil {
		return nil, fmt.Errorf("read the exported manifest: %w", err)
	}
	blobs := append([]ocispecs.Descriptor{image.Config}, image.Layers...)
	held := r.Hold(ctx, ref, blobs)
	lacks := slices.DeleteFunc(blobs, func(b ocispecs.Descriptor) bool {
		_, err := daemon.Info(ctx, b.Digest)
		return held.There[b.Digest] || err != nil
	})
	slices.SortStableFunc(lacks, func(a, b ocispecs.Descriptor) int { return cmp.Compare(a.Size, b.Size) })
	return lacks, nil
}

// pushWhole has the daemon push the whole image. Where a mount is refused it is tried once more, with those layers sent from here.
func (p Publisher) pushWhole(ctx context.Context, m Made) (Made, error) {
	pushed, err := p.daemonPush(ctx, m)
	if untagged, ok := errors.AsType[*heldError](err); ok {
		return pushed, untagged.why
	}
	if err == nil || ctx.Err() != nil {
		return pushed, err
	}
	if err := sendMounts(ctx, p.Registry, p.Content, p.Options, m, err); err != nil {
		return m, err
	}
	if pushed, err = p.daemonPush(ctx, m); err != nil {
		return m, fmt.Errorf("after sending layers that the registry does not mount: %w", err)
	}
	return pushed, nil
}
