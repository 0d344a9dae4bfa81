package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// ProfileAnnotation names an image's profile in an Index.
const ProfileAnnotation = "org.mlbuild.profile"

// Index is one name for the images of all profiles of a run.
type Index struct {
	Ref    string `json:"ref"`    // its reference
	Digest string `json:"digest"` // of its manifest
}

// checkIndex returns what keeps the images of a request from an index: fault.Usage where they are not pushed, or to another repository, whose manifests an index cannot name.
func (r Request) checkIndex() error {
	if r.Index == "" {
		return nil
	}
	var faults fault.List
	for _, v := range r.Variants {
		switch {
		case len(v.Recipes) == 0:
		case !r.options(v).Pushes():
			faults = append(faults, fault.New(fault.Usage, "the index %s is of images in a registry, and profile %s is not pushed", r.Index, v.Profile).Hint("add --push"))
		case registry.Repository(v.Tags[0]) != registry.Repository(r.Index):
			faults = append(faults, fault.New(fault.Usage, "the index %s is in another repository than the image %s of profile %s", r.Index, v.Tags[0], v.Profile).
				Hint("an index names images of its own repository: give it a tag alone, or one of %s", registry.Repository(v.Tags[0])))
		case slices.Contains(v.Tags, r.Index):
			faults = append(faults, fault.New(fault.Ref, "the index and the image of profile %s would both be %s", v.Profile, r.Index).Hint("give the index a tag that no profile has"))
		}
	}
	return faults.Err()
}

// putIndex puts the index of all images, in the order of the command line: a runtime takes the first that fits its platform (OCI image spec, "Image Index"). Errors are the registry's.
func putIndex(ctx context.Context, r *registry.Client, ref string, all []Image) (*Index, error) {
	index := ocispecs.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageIndex}
	for _, m := range all {
		entries, err := indexEntries(ctx, r, m)
		if err != nil {
			return nil, unindexed(ref, err)
		}
		index.Manifests = append(index.Manifests, entries...)
	}
	data, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return nil, fault.New(fault.Internal, "encode the index: %w", err)
	}
	desc := ocispecs.Descriptor{MediaType: index.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	if err := r.Tag(ctx, ref, desc, data); err != nil {
		return nil, unindexed(ref, err)
	}
	return &Index{Ref: ref, Digest: desc.Digest.String()}, nil
}

// indexEntries are an image's entries: one, or one for each platform.
func indexEntries(ctx context.Context, r *registry.Client, m Image) ([]ocispecs.Descriptor, error) {
	desc, data, err := r.Manifest(ctx, registry.Repository(m.Tags[0])+"@"+m.Digest)
	if err != nil {
		return nil, err
	}
	entries := []ocispecs.Descriptor{desc}
	if images.IsIndexType(desc.MediaType) {
		var of ocispecs.Index
		if err := json.Unmarshal(data, &of); err != nil {
			return nil, fmt.Errorf("read %s: %w", m.Digest, err)
		}
		entries = of.Manifests
	} else {
		platform, err := platforms.Parse(m.Platforms[0])
		if err != nil {
			return nil, err
		}
		entries[0].Platform = &platform
	}
	for i := range entries {
		entries[i].Annotations = map[string]string{ProfileAnnotation: m.Profile}
	}
	return entries, nil
}

// unindexed is why there is no index. The images are there.
func unindexed(ref string, err error) error {
	return fault.New(fault.Registry, "the images are pushed, but not their index %s: %w", ref, err).Hint("run it again: nothing is built twice")
}
