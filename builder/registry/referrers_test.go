package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// keeping is a registry of one repository that keeps what it is given, and lists referrers or not.
type keeping struct {
	lists     bool
	manifests map[string][]byte // by tag or digest
	blobs     map[string][]byte
}

func (k keeping) answer(w http.ResponseWriter, r *http.Request) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/team/app/"), "/")
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/v2/team/app/uploads/1")
		w.WriteHeader(http.StatusAccepted)
	case kind == "uploads":
		k.blobs[r.URL.Query().Get("digest")] = body
		w.WriteHeader(http.StatusCreated)
	case kind == "blobs" && k.blobs[name] != nil:
	case kind == "manifests" && r.Method == http.MethodPut:
		k.manifests[name], k.manifests[digest.FromBytes(body).String()] = body, body
		var m ocispecs.Manifest
		if k.lists && json.Unmarshal(body, &m) == nil && m.Subject != nil {
			w.Header().Set("OCI-Subject", m.Subject.Digest.String())
		}
		w.WriteHeader(http.StatusCreated)
	case kind == "manifests" && k.manifests[name] != nil:
		_, _ = w.Write(k.manifests[name])
	case kind == "referrers" && k.lists:
		_ = json.NewEncoder(w).Encode(k.referrers(name))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (k keeping) referrers(image string) (index ocispecs.Index) {
	for name, data := range k.manifests {
		var m ocispecs.Manifest
		if json.Unmarshal(data, &m) == nil && m.Subject != nil && m.Subject.Digest.String() == image && strings.HasPrefix(name, "sha256:") {
			index.Manifests = append(index.Manifests, ocispecs.Descriptor{Digest: digest.Digest(name), ArtifactType: m.ArtifactType, Annotations: m.Annotations})
		}
	}
	return index
}

// TestAttach: what is attached is a manifest whose subject is the image, which stays as it is. A registry that does not list such manifests has a tag that does.
func TestAttach(t *testing.T) {
	image := []byte(`{"schemaVersion":2,"mediaType":"` + ocispecs.MediaTypeImageManifest + `"}`)
	of := digest.FromBytes(image)
	for _, lists := range []bool{true, false} {
		k := keeping{lists, map[string][]byte{of.String(): image}, map[string][]byte{}}
		a := askedRegistry(t, k.answer)
		r, ref := New(nil, nil), a.host+"/team/app@"+of.String()
		if there, err := r.Attached(t.Context(), ref, "text/plain"); err != nil || len(there) != 0 {
			t.Errorf("before: %v, %v", there, err)
		}
		for _, text := range []string{"one", "two", "two"} {
			if err := r.Attach(t.Context(), ref, Artifact{"text/plain", []byte(text), map[string]string{"about": text}}); err != nil {
				t.Fatalf("lists %v: %v", lists, err)
			}
		}
		there, err := r.Attached(t.Context(), ref, "text/plain")
		if err != nil || len(there) != 2 {
			t.Fatalf("lists %v: attached is %v, %v", lists, there, err)
		}
		if other, err := r.Attached(t.Context(), ref, "text/html"); err != nil || len(other) != 0 {
			t.Errorf("of another type: %v, %v", other, err)
		}
		for _, d := range there {
			var m ocispecs.Manifest
			if err := json.Unmarshal(k.manifests[d.Digest.String()], &m); err != nil {
				t.Fatal(err)
			}
			if text := string(k.blobs[m.Layers[0].Digest.String()]); text != d.Annotations["about"] || m.Subject.Digest != of || m.Subject.Size != int64(len(image)) ||
				m.Subject.MediaType != ocispecs.MediaTypeImageManifest || m.ArtifactType != "text/plain" || m.Config.MediaType != ocispecs.MediaTypeEmptyJSON || k.blobs[m.Config.Digest.String()] == nil {
				t.Errorf("lists %v: %q, %+v", lists, text, m)
			}
		}
		if _, tagged := k.manifests["sha256-"+of.Encoded()]; tagged == lists {
			t.Errorf("lists %v, and the tag is there: %v", lists, tagged)
		}
		if string(k.manifests[of.String()]) != string(image) {
			t.Error("the image is another one")
		}
	}
}

// TestAttachToNothing: a registry that does not have the image, or whose tag for lists names something else, is an error.
func TestAttachToNothing(t *testing.T) {
	image := []byte(`{"schemaVersion":2,"mediaType":"` + ocispecs.MediaTypeImageManifest + `"}`)
	of := digest.FromBytes(image)
	k := keeping{false, map[string][]byte{}, map[string][]byte{}}
	a := askedRegistry(t, k.answer)
	r, ref := New(nil, nil), a.host+"/team/app@"+of.String()
	if err := r.Attach(t.Context(), ref, Artifact{"text/plain", []byte("one"), nil}); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("without the image: %v", err)
	}
	k.manifests[of.String()], k.manifests["sha256-"+of.Encoded()] = image, image
	if err := r.Attach(t.Context(), ref, Artifact{"text/plain", []byte("one"), nil}); err == nil || !strings.Contains(err.Error(), "is to name a list of referrers") {
		t.Errorf("a tag of somebody else's: %v", err)
	}
	if _, err := r.Attached(t.Context(), a.ref, "text/plain"); err == nil {
		t.Error("a tag is taken for a digest")
	}
}
