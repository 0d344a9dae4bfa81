package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
)

// stored is what a daemon has.
type stored blobs

// ReaderAt implements content.Provider.
func (s stored) ReaderAt(_ context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	data, ok := s[desc.Digest]
	if !ok {
		return nil, errdefs.ErrNotFound
	}
	return blob{bytes.NewReader(data)}, nil
}

// put stores a value as JSON.
func (s stored) put(t *testing.T, kind string, value any) ocispecs.Descriptor {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(data)
	s[d] = data
	return ocispecs.Descriptor{MediaType: kind, Digest: d, Size: int64(len(data))}
}

// TestBaseLayers: the base's layers are its own manifest's, of the platform that is built, in the types that BuildKit exports; where anything is odd the daemon exports them.
func TestBaseLayers(t *testing.T) {
	amd64, arm64 := ocispecs.Platform{OS: "linux", Architecture: "amd64"}, ocispecs.Platform{OS: "linux", Architecture: "arm64"}
	diff := digest.FromString("files")
	plain := ocispecs.Descriptor{MediaType: images.MediaTypeDockerSchema2LayerGzip, Digest: digest.FromString("blob"), Size: 4}
	for _, test := range []struct {
		name   string
		change func(l *ocispecs.Descriptor, diffs *[]digest.Digest)
		want   bool
	}{
		{"as it is", func(*ocispecs.Descriptor, *[]digest.Digest) {}, true},
		{"another base", func(_ *ocispecs.Descriptor, diffs *[]digest.Digest) { *diffs = []digest.Digest{digest.FromString("x")} }, false},
		{"annotations", func(l *ocispecs.Descriptor, _ *[]digest.Digest) { l.Annotations = map[string]string{"a": "b"} }, false},
		{"from elsewhere", func(l *ocispecs.Descriptor, _ *[]digest.Digest) { l.URLs = []string{"https://example.org"} }, false},
		{"an unknown type", func(l *ocispecs.Descriptor, _ *[]digest.Digest) { l.MediaType = "application/x" }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, l, diffs := stored{}, plain, []digest.Digest{diff}
			test.change(&l, &diffs)
			of := func(p ocispecs.Platform, layer ocispecs.Descriptor) ocispecs.Descriptor {
				config := s.put(t, images.MediaTypeDockerSchema2Config, ocispecs.Image{Platform: p, RootFS: ocispecs.RootFS{Type: "layers", DiffIDs: diffs}})
				m := s.put(t, images.MediaTypeDockerSchema2Manifest, map[string]any{
					"schemaVersion": 2, "mediaType": images.MediaTypeDockerSchema2Manifest, "config": config, "layers": []ocispecs.Descriptor{layer},
				})
				m.Platform = &p
				return m
			}
			other := l
			other.Digest = digest.FromString("arm64")
			index := s.put(t, images.MediaTypeDockerSchema2ManifestList, map[string]any{
				"schemaVersion": 2, "mediaType": images.MediaTypeDockerSchema2ManifestList, "manifests": []ocispecs.Descriptor{of(arm64, other), of(amd64, l)},
			})
			g := Graph{Graph: &llb.Graph{Platform: amd64}, Base: []digest.Digest{diff}, BaseRef: "python@" + index.Digest.String()}
			got, err := baseLayers(t.Context(), s, g)
			if (err == nil) != test.want {
				t.Fatalf("%v, %v", got, err)
			}
			want := []layerRef{{ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayerGzip, Digest: plain.Digest, Size: 4}, diff}}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(layerRef{})); test.want && d != "" {
				t.Error(d)
			}
			delete(s, index.Digest)
			if got, err := baseLayers(t.Context(), s, g); err == nil {
				t.Errorf("without the manifest: %v", got)
			}
		})
	}
	if got, err := baseLayers(t.Context(), stored{}, Graph{}); err != nil || got == nil || len(got) != 0 {
		t.Errorf("no base: %v, %v", got, err)
	}
}
