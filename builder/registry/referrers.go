package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Artifact is what is attached to an image: one document.
type Artifact struct {
	Type        string            // media type of the artifact and of the document
	Data        []byte            // the document
	Annotations map[string]string // of both; lists of what is attached have them
}

// Attach puts an artifact beside the image that a reference names by its digest, as an image manifest whose subject is the image (OCI image spec 1.1, "Guidelines for Artifact Usage"). The image
// stays as it is. Where the registry lists no referrers, the list is kept under a tag, as the distribution spec 1.1 has it ("Pushing Manifests with Subject").
func (r *Client) Attach(ctx context.Context, ref string, a Artifact) error {
	subject, _, err := r.Manifest(ctx, ref)
	if err != nil {
		return err
	}
	empty, document := ocispecs.DescriptorEmptyJSON, ocispecs.Descriptor{MediaType: a.Type, Digest: digest.FromBytes(a.Data), Size: int64(len(a.Data)), Annotations: a.Annotations}
	for _, blob := range []struct {
		desc ocispecs.Descriptor
		data []byte
	}{{empty, empty.Data}, {document, a.Data}} {
		if there, err := r.Has(ctx, ref, blob.desc.Digest); err == nil && there {
			continue
		}
		if err := r.put(ctx, ref, blob.desc.Digest, bytes.NewReader(blob.data), blob.desc.Size); err != nil {
			return err
		}
	}
	manifest, err := json.Marshal(ocispecs.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageManifest, ArtifactType: a.Type,
		Config: empty, Layers: []ocispecs.Descriptor{document}, Subject: &subject, Annotations: a.Annotations,
	})
	if err != nil {
		return fmt.Errorf("encode the artifact: %w", err)
	}
	desc := ocispecs.Descriptor{
		MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest)), ArtifactType: a.Type, Annotations: a.Annotations,
	}
	header, err := r.putManifest(ctx, Repository(ref)+"@"+desc.Digest.String(), desc.MediaType, manifest)
	if err != nil {
		return err
	}
	if header.Get("OCI-Subject") == subject.Digest.String() {
		return nil
	}
	return r.listUnderTag(ctx, referrersTag(ref, subject.Digest), desc)
}

// listUnderTag adds a referrer to the list that a tag names.
func (r *Client) listUnderTag(ctx context.Context, tag string, desc ocispecs.Descriptor) error {
	index, err := r.index(ctx, tag)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(index.Manifests, func(d ocispecs.Descriptor) bool { return d.Digest == desc.Digest }) {
		return nil
	}
	index.Manifests = append(index.Manifests, desc)
	data, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("encode the list of referrers: %w", err)
	}
	_, err = r.putManifest(ctx, tag, ocispecs.MediaTypeImageIndex, data)
	return err
}

// index reads the index that a tag names, an empty one where there is none.
func (r *Client) index(ctx context.Context, tag string) (index ocispecs.Index, err error) {
	desc, data, err := r.Manifest(ctx, tag)
	switch {
	case errdefs.IsNotFound(err):
		return ocispecs.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageIndex}, nil
	case err != nil:
		return index, err
	case !images.IsIndexType(desc.MediaType):
		return index, fmt.Errorf("%s is to name a list of referrers, and names %q", tag, desc.MediaType)
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return index, fmt.Errorf("%s: %w", tag, err)
	}
	return index, nil
}

// referrersTag is the tag that lists what is attached to an image, where the registry itself does not (distribution spec 1.1, "Referrers Tag Schema").
func referrersTag(ref string, image digest.Digest) string {
	hex := image.Encoded()
	return Repository(ref) + ":" + image.Algorithm().String() + "-" + hex[:min(len(hex), 64)]
}

// Attached lists the artifacts of a type that are attached to the image which a reference names by its digest, as far as they stand on the first page of the registry's list.
func (r *Client) Attached(ctx context.Context, ref, artifactType string) ([]ocispecs.Descriptor, error) {
	image := digest.Digest(DigestOf(ref))
	if err := image.Validate(); err != nil {
		return nil, fmt.Errorf("%s names no digest: %w", ref, err)
	}
	p, err := r.repo(ref, false)
	if err != nil {
		return nil, err
	}
	var index ocispecs.Index
	resp, err := p.send(ctx, http.MethodGet, p.base+"/referrers/"+image.String(), map[string]string{"Accept": ocispecs.MediaTypeImageIndex}, nil)
	if err != nil {
		return nil, err
	}
	data, err := read(resp)
	switch status, refused := errors.AsType[*StatusError](err); {
	case refused && !Refuses(err) && status.StatusCode < http.StatusInternalServerError:
		index, err = r.index(ctx, referrersTag(ref, image))
	case err == nil:
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		return nil, fmt.Errorf("ask what is attached to %s: %w", ref, err)
	}
	return slices.DeleteFunc(index.Manifests, func(d ocispecs.Descriptor) bool { return !strings.EqualFold(d.ArtifactType, artifactType) }), nil
}
