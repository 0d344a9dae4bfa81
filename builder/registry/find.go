package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Found is what a reference names.
type Found struct {
	Desc   ocispecs.Descriptor
	Data   []byte // the manifest or index
	Config []byte // nil = not one image, or not read
	Layers []ocispecs.Descriptor
	Held   Held // what the repository said of the image's blobs; of a cache nothing
}

// Find reads what a reference names and which layers lie below it, nil if it does not exist. Of an image the config is read, and the repository is asked for each blob.
func (r *Client) Find(ctx context.Context, ref string, isImage bool) (*Found, error) {
	desc, data, err := r.Manifest(ctx, ref)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &Found{Desc: desc, Data: data}
	if f.Layers, err = r.Layers(ctx, ref, desc, data); err != nil || !isImage {
		return f, err
	}
	var lost digest.Digest
	var wg sync.WaitGroup
	wg.Go(func() { f.Config, lost = r.config(ctx, ref, desc, data) })
	wg.Go(func() { f.Held = r.Hold(ctx, ref, f.Layers) })
	wg.Wait()
	if lost != "" {
		f.Held.Lost[lost] = true
	}
	return f, nil
}

// config reads the config of one image, nil for an index and where it cannot be had; lost is its digest where the repository does not have it.
func (r *Client) config(ctx context.Context, name string, desc ocispecs.Descriptor, data []byte) (config []byte, lost digest.Digest) {
	var m ocispecs.Manifest
	if !images.IsManifestType(desc.MediaType) || json.Unmarshal(data, &m) != nil {
		return nil, ""
	}
	config, err := r.Blob(ctx, name, m.Config)
	switch {
	case errdefs.IsNotFound(err):
		return nil, m.Config.Digest
	case err != nil:
		return nil, ""
	}
	return config, ""
}

// Layers lists the layers below a manifest that was read, those of every platform and of a cache included.
func (r *Client) Layers(ctx context.Context, name string, desc ocispecs.Descriptor, data []byte) ([]ocispecs.Descriptor, error) {
	if !images.IsIndexType(desc.MediaType) {
		var m ocispecs.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
		}
		return m.Layers, nil
	}
	var index ocispecs.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("index %s: %w", desc.Digest, err)
	}
	var all []ocispecs.Descriptor
	for _, m := range index.Manifests {
		if !images.IsManifestType(m.MediaType) {
			all = append(all, m)
			continue
		}
		child, err := r.Blob(ctx, name, m)
		if err != nil {
			return nil, err
		}
		layers, err := r.Layers(ctx, name, m, child)
		if err != nil {
			return nil, err
		}
		all = append(all, layers...)
	}
	return all, nil
}
