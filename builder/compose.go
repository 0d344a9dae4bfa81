package builder

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	"github.com/containerd/containerd/v2/core/images"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// withKeys replaces values of a JSON object. Its keys come out sorted, as BuildKit writes a config (exporter/containerimage/writer.go, patchImageConfig).
func withKeys(object []byte, values map[string]any) ([]byte, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(object, &all); err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	for key, value := range values {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("encode %s of the config: %w", key, err)
		}
		all[key] = data
	}
	data, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode the config: %w", err)
	}
	return data, nil
}

// compose puts the image together of what was exported and of the tag's image, and has the answer of the exporter name it.
func (m *making) compose(ctx context.Context, resp *bkclient.SolveResponse) error {
	small, err := m.readSmall(ctx, descriptorOf(resp.ExporterResponse[exptypes.ExporterImageDescriptorKey]))
	if err != nil {
		return err
	}
	manifest, config, err := m.whole(small)
	if err != nil {
		return err
	}
	desc := ocispecs.Descriptor{MediaType: small.manifest.MediaType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	m.part = small
	m.own = blobs{desc.Digest: manifest, digest.FromBytes(config): config}
	data, err := json.Marshal(desc)
	if err != nil {
		return fmt.Errorf("encode the image's descriptor: %w", err)
	}
	resp.ExporterResponse[exptypes.ExporterImageDigestKey] = desc.Digest.String()
	resp.ExporterResponse[exptypes.ExporterImageConfigDigestKey] = digest.FromBytes(config).String()
	resp.ExporterResponse[exptypes.ExporterImageDescriptorKey] = base64.StdEncoding.EncodeToString(data)
	return nil
}

// smallImage is an exported image of the layers that were made.
type smallImage struct {
	digest   digest.Digest
	manifest ocispecs.Manifest
	config   []byte
}

func (m *making) readSmall(ctx context.Context, desc ocispecs.Descriptor) (s smallImage, err error) {
	if !images.IsManifestType(desc.MediaType) {
		return s, fmt.Errorf("the daemon exported %q, no image", desc.MediaType)
	}
	s.digest = desc.Digest
	store := m.blobs()
	data, err := content.ReadBlob(ctx, store, desc)
	if err != nil {
		return s, fmt.Errorf("read the exported manifest: %w", err)
	}
	if err := json.Unmarshal(data, &s.manifest); err != nil {
		return s, fmt.Errorf("read the exported manifest: %w", err)
	}
	if s.config, err = content.ReadBlob(ctx, store, s.manifest.Config); err != nil {
		return s, fmt.Errorf("read the exported config: %w", err)
	}
	return s, nil
}

// whole gives the manifest and the config of the image: the exported ones with all layers, those that were made in their places.
func (m *making) whole(small smallImage) (manifest, config []byte, err error) {
	layers, diffs, err := m.reuse.fill(m.graphs[0].graph.Plan.BaseLayers, small)
	if err != nil {
		return nil, nil, err
	}
	history, err := clampedHistory(m.graphs[0].graph.Config, m.req.Epoch)
	if err != nil {
		return nil, nil, err
	}
	config, err = withKeys(small.config, map[string]any{"rootfs": ocispecs.RootFS{Type: "layers", DiffIDs: diffs}, "history": history})
	if err != nil {
		return nil, nil, err
	}
	all := small.manifest
	all.Layers, all.Config.Digest, all.Config.Size = layers, digest.FromBytes(config), int64(len(config))
	if manifest, err = json.MarshalIndent(all, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("encode the manifest: %w", err)
	}
	return manifest, config, nil
}

// fill gives the layers of the whole image, and their digests when unpacked, with those of an exported part in their places. below is the number of the base's.
func (r *reuse) fill(below int, small smallImage) (layers []ocispecs.Descriptor, diffs []digest.Digest, err error) {
	var c ocispecs.Image
	if err := json.Unmarshal(small.config, &c); err != nil {
		return nil, nil, fmt.Errorf("read the exported config: %w", err)
	}
	base := 0 // of the exported layers, those that are the base's
	if r.base == nil {
		base = below
	}
	if n := base + len(r.made); len(small.manifest.Layers) != n || len(c.RootFS.DiffIDs) != n {
		return nil, nil, errors.New("the exported image does not have the layers that were to be made")
	}
	all := slices.Clone(r.base)
	for i := range base {
		all = append(all, filled{small.manifest.Layers[i], c.RootFS.DiffIDs[i]})
	}
	own := len(all)
	all = append(all, r.layers...)
	for i, at := range r.made {
		all[own+at] = filled{small.manifest.Layers[base+i], c.RootFS.DiffIDs[base+i]}
	}
	for _, l := range all {
		layers, diffs = append(layers, l.desc), append(diffs, l.diff)
	}
	return layers, diffs, nil
}

// clampedHistory is the history of a compiled config as BuildKit writes it: no entry is later than the image (patchImageConfig).
func clampedHistory(config []byte, epoch time.Time) ([]ocispecs.History, error) {
	var c ocispecs.Image
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("read the compiled config: %w", err)
	}
	at := time.Unix(epoch.Unix(), 0).UTC()
	for i, h := range c.History {
		if h.Created == nil || h.Created.After(at) {
			c.History[i].Created = &at
		}
	}
	return c.History, nil
}

// blobs are contents by their digests.
type blobs map[digest.Digest][]byte

// blobs gives what the client made itself, and all that the daemon has.
func (m *making) blobs() content.Provider {
	return layered{m.own, proxy.NewContentStore(m.daemon.Client.ContentClient())}
}

// layered is a store over another.
type layered struct {
	own  blobs
	next content.Provider
}

// ReaderAt implements content.Provider.
func (l layered) ReaderAt(ctx context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	if data, ok := l.own[desc.Digest]; ok {
		return blob{bytes.NewReader(data)}, nil
	}
	return l.next.ReaderAt(ctx, desc)
}

// blob is one of them while it is read.
type blob struct{ *bytes.Reader }

// Close implements content.ReaderAt.
func (blob) Close() error { return nil }
