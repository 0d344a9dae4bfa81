package publish

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
	"github.com/containerd/containerd/v2/core/images"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Exported is an image that was exported, or put together of what was exported and of the registry's image.
type Exported struct {
	Digest string              // of the manifest or index, "" = no image was exported
	Config string              // digest of the config, "" = there is not one
	desc   ocispecs.Descriptor // of the manifest or index, as the exporter says it
	own    blobs               // the manifest and config, where the client made them
	part   *partImage          // the image of the layers that were made; nil = the daemon exported the whole
}

// partImage is an exported image of the layers that were made.
type partImage struct {
	digest   digest.Digest
	manifest ocispecs.Manifest
	config   []byte
}

// exportedBy reads what the exporter says that it made.
func exportedBy(resp *bkclient.SolveResponse) Exported {
	return Exported{
		Digest: resp.ExporterResponse[exptypes.ExporterImageDigestKey],
		Config: resp.ExporterResponse[exptypes.ExporterImageConfigDigestKey],
		desc:   descriptorOf(resp.ExporterResponse[exptypes.ExporterImageDescriptorKey]),
	}
}

// descriptorOf reads the descriptor that the exporter answers with, the zero value if there is none.
func descriptorOf(answer string) (desc ocispecs.Descriptor) {
	if data, err := base64.StdEncoding.DecodeString(answer); err == nil {
		_ = json.Unmarshal(data, &desc) // without one, the registry is asked
	}
	return desc
}

// Assemble returns the image that was exported. Of a plan that reuses layers it is put together of those that were exported and of the registry's image.
func (p Publisher) Assemble(ctx context.Context, d Decided, resp *bkclient.SolveResponse) (Exported, error) {
	e := exportedBy(resp)
	if d.Plan.Whole() {
		return e, nil
	}
	part, err := p.readPart(ctx, e.desc)
	if err != nil {
		return e, err
	}
	manifest, config, err := d.Plan.reuse.whole(d.Graphs[0], part, p.Epoch)
	if err != nil {
		return e, err
	}
	desc := ocispecs.Descriptor{MediaType: part.manifest.MediaType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	of := digest.FromBytes(config)
	return Exported{Digest: desc.Digest.String(), Config: of.String(), desc: desc, own: blobs{desc.Digest: manifest, of: config}, part: &part}, nil
}

// readPart reads the exported image of the layers that were made.
func (p Publisher) readPart(ctx context.Context, desc ocispecs.Descriptor) (s partImage, err error) {
	if !images.IsManifestType(desc.MediaType) {
		return s, fmt.Errorf("the daemon exported %q, no image", desc.MediaType)
	}
	s.digest = desc.Digest
	data, err := content.ReadBlob(ctx, p.Content, desc)
	if err != nil {
		return s, fmt.Errorf("read the exported manifest: %w", err)
	}
	if err := json.Unmarshal(data, &s.manifest); err != nil {
		return s, fmt.Errorf("read the exported manifest: %w", err)
	}
	if s.config, err = content.ReadBlob(ctx, p.Content, s.manifest.Config); err != nil {
		return s, fmt.Errorf("read the exported config: %w", err)
	}
	return s, nil
}

// whole returns the manifest and the config of the image: the exported ones with all layers, those that were made in their places.
func (r *reuse) whole(g Graph, part partImage, epoch time.Time) (manifest, config []byte, err error) {
	layers, diffs, err := r.fill(g.Plan.BaseLayers, part)
	if err != nil {
		return nil, nil, err
	}
	history, err := clampedHistory(g.Config, epoch)
	if err != nil {
		return nil, nil, err
	}
	config, err = withKeys(part.config, map[string]any{"rootfs": ocispecs.RootFS{Type: "layers", DiffIDs: diffs}, "history": history})
	if err != nil {
		return nil, nil, err
	}
	all := part.manifest
	all.Layers, all.Config.Digest, all.Config.Size = layers, digest.FromBytes(config), int64(len(config))
	if manifest, err = json.MarshalIndent(all, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("encode the manifest: %w", err)
	}
	return manifest, config, nil
}

// under returns the image under the tag if it is the one of these layers, all of which are known, nil if it is not.
func (r *reuse) under(remote *RemoteState, g Graph, epoch time.Time) *Exported {
	var there ocispecs.Manifest
	if len(remote.lost) > 0 || json.Unmarshal(remote.image.data, &there) != nil {
		return nil
	}
	history, err := clampedHistory(g.Config, epoch)
	if err != nil {
		return nil
	}
	layers, diffs := listed(slices.Concat(r.base, r.layers))
	config, err := withKeys(g.Config, map[string]any{"rootfs": ocispecs.RootFS{Type: "layers", DiffIDs: diffs}, "history": history})
	if err != nil {
		return nil
	}
	// What else a manifest says is the same of all images.
	whole := ocispecs.Manifest{Versioned: there.Versioned, MediaType: ocispecs.MediaTypeImageManifest, Layers: layers}
	whole.Config = ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
	manifest, err := json.MarshalIndent(whole, "", "  ")
	if err != nil || digest.FromBytes(manifest).String() != remote.digest {
		return nil
	}
	return &Exported{
		Digest: remote.digest, Config: whole.Config.Digest.String(), desc: remote.image.desc,
		own: blobs{remote.image.desc.Digest: manifest, whole.Config.Digest: config},
	}
}

// fill returns the layers of the whole image, and their digests when unpacked, with those of an exported part in their places. below is the number of the base's.
func (r *reuse) fill(below int, part partImage) (layers []ocispecs.Descriptor, diffs []digest.Digest, err error) {
	var c ocispecs.Image
	if err := json.Unmarshal(part.config, &c); err != nil {
		return nil, nil, fmt.Errorf("read the exported config: %w", err)
	}
	base := 0 // of the exported layers, those that are the base's
	if r.base == nil {
		base = below
	}
	if n := base + len(r.made); len(part.manifest.Layers) != n || len(c.RootFS.DiffIDs) != n {
		return nil, nil, errors.New("the exported image does not have the layers that were to be made")
	}
	all := slices.Clone(r.base)
	for i := range base {
		all = append(all, layerRef{part.manifest.Layers[i], c.RootFS.DiffIDs[i]})
	}
	own := len(all)
	all = append(all, r.layers...)
	for i, at := range r.made {
		all[own+at] = layerRef{part.manifest.Layers[base+i], c.RootFS.DiffIDs[base+i]}
	}
	layers, diffs = listed(all)
	return layers, diffs, nil
}

// listed are layers as a manifest and a config name them.
func listed(all []layerRef) (layers []ocispecs.Descriptor, diffs []digest.Digest) {
	for _, l := range all {
		layers, diffs = append(layers, l.desc), append(diffs, l.diff)
	}
	return layers, diffs
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

// blobs are contents by their digests.
type blobs map[digest.Digest][]byte

// over returns what the client made itself, and all that the daemon has.
func (e Exported) over(daemon content.Provider) content.Provider { return layered{e.own, daemon} }

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
