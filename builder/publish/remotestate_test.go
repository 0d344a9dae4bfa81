package publish

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/trust"
)

// TestLook asks a registry in memory what it holds.
func TestLook(t *testing.T) {
	server := httptest.NewServer(memory.New(memory.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	ref := host + "/team/app:1"
	client, o := registry.New(nil, nil), with(Options{Outputs: pushed}, ref)
	if s := Look(t.Context(), client, o, trust.Local{}); s.digest != "" || s.caches != nil || s.unknown || len(s.layers) != 0 {
		t.Errorf("an empty registry holds %+v", s)
	}

	index, err := random.Index(256, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(to, index); err != nil {
		t.Fatal(err)
	}
	want, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	s := Look(t.Context(), client, o, trust.Local{})
	if s.digest != want.String() || s.caches != nil || s.unknown || len(s.layers) != 4 {
		t.Errorf("got %+v, want %s with 4 layers", s, want)
	}

	desc, data, err := client.Manifest(t.Context(), ref)
	if err != nil || digest.FromBytes(data) != desc.Digest {
		t.Fatalf("%v, %v", desc, err)
	}
	for range 2 { // a tag that is there is no error
		if err := client.Tag(t.Context(), host+"/team/app:buildcache-cpu", desc, data); err != nil {
			t.Fatal(err)
		}
	}
	if s := Look(t.Context(), client, o, trust.Local{}); !slices.Equal(s.caches, []string{host + "/team/app:buildcache-cpu"}) {
		t.Errorf("got %+v, want the cache", s)
	}

	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusForbidden) })
	if s := Look(t.Context(), client, o, trust.Local{}); !s.unknown {
		t.Errorf("a registry that lets nobody look gives %+v", s)
	}
}
