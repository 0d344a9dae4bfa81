package builder

import (
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// tagged is a variant with tags and an annotation.
func tagged(t *testing.T, tags ...string) Variant {
	t.Helper()
	v := variantOf(testRecipe(t, "cpu", "python: {packages: [x]}\n"))
	v.Recipes[0].App.Annotations = []recipe.Pair{{Name: "org.example.note", Value: "n"}}
	v.Tags = tags
	return v
}

func TestExports(t *testing.T) {
	epoch := time.Unix(1700000000, 0)
	image := func(more map[string]string) map[string]string {
		attrs := map[string]string{"source-date-epoch": "1700000000", "compression": "zstd", "oci-mediatypes": "true", "annotation.org.example.note": "n"}
		for k, v := range more {
			attrs[k] = v
		}
		return attrs
	}
	const one, two = "registry.example/a:1", "registry.example/a:2"
	for _, test := range []struct {
		name        string
		output      Output
		compression recipe.Compression
		kind        string
		want        map[string]string
	}{
		{"push", Output{Type: "image", Push: true}, "", "image", image(map[string]string{"name": "*", "push": "true"})},
		{"push, with attributes", Output{Type: "image", Push: true, Attrs: map[string]string{"push-by-digest": "true"}}, "", "image",
			image(map[string]string{"name": "*", "push": "true", "push-by-digest": "true"})},
		{"image", Output{Type: "image"}, "", "image", image(nil)},
		{"oci", Output{Type: "oci"}, "", "oci", image(map[string]string{"name": one + "," + two})},
		{"docker", Output{Type: "docker"}, "", "docker", image(map[string]string{"name": one + "," + two, "oci-mediatypes": "false"})},
		{"tar", Output{Type: "tar"}, "", "tar", map[string]string{"source-date-epoch": "1700000000"}},
		{"local", Output{Type: "local", Dir: "out"}, "", "tar", map[string]string{"source-date-epoch": "1700000000"}},
		// The base's layers are gzip: zstd leaves them as they are, everything else is asked for explicitly.
		{"zstd", Output{Type: "image"}, "zstd", "image", image(nil)},
		{"gzip", Output{Type: "image"}, "gzip", "image", image(map[string]string{"compression": "gzip", "force-compression": "true"})},
		{"estargz", Output{Type: "image"}, "estargz", "image", image(map[string]string{"compression": "estargz", "force-compression": "true"})},
		{"uncompressed", Output{Type: "image"}, "uncompressed", "image", image(map[string]string{"compression": "uncompressed", "force-compression": "true"})},
		{"the user's attributes win", Output{Type: "oci", Attrs: map[string]string{"name": "mine"}}, "", "oci", image(map[string]string{"name": "mine"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := running(t, Request{Outputs: []Output{test.output}, Compression: test.compression, Epoch: epoch})
			got, err := b.exports(tagged(t, one, two))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].Type != test.kind {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(test.want, got[0].Attrs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An archive's file is opened when the result is there, for its own profile.
func TestExportOpens(t *testing.T) {
	var opened []string
	open := func(profile string) (io.WriteCloser, error) {
		opened = append(opened, profile)
		return nil, io.ErrClosedPipe
	}
	got, err := running(t, Request{Outputs: []Output{{Type: "oci", Open: open}}}).exports(tagged(t))
	if err != nil || opened != nil {
		t.Fatalf("opened %v, %v", opened, err)
	}
	if _, err := got[0].Output(nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"cpu"}, opened); diff != "" {
		t.Error(diff)
	}
}

func TestExportFaults(t *testing.T) {
	_, err := running(t, Request{Outputs: []Output{{Type: "image", Push: true}}}).exports(tagged(t))
	expect(t, err, fault.Spec, false, "profile cpu is to be pushed, but has no tag", "--tag")
	_, err = running(t, Request{Outputs: []Output{{Type: "floppy"}}}).exports(tagged(t))
	expect(t, err, fault.Usage, false, `"floppy"`, "image, oci, docker, local, tar")
}

func TestCaches(t *testing.T) {
	own := Cache{Type: "registry", Attrs: map[string]string{"ref": "registry.example/a:buildcache-cpu"}}
	given := Cache{Type: "gha", Attrs: map[string]string{"scope": "x"}}
	written := Cache{Type: "registry", Attrs: map[string]string{"ref": "registry.example/a:buildcache-cpu", "mode": "min", "ignore-error": "true",
		"oci-mediatypes": "true", "image-manifest": "true", "compression": "zstd"}}
	push := []Output{{Type: "image", Push: true}}
	there := []string{"registry.example/a:buildcache-cpu"}
	ofDev := Cache{Type: "registry", Attrs: map[string]string{"ref": "registry.example/a:buildcache-cpu-dev"}}
	writtenForDev := Cache{Type: "registry", Attrs: maps.Clone(written.Attrs)}
	writtenForDev.Attrs["ref"] = ofDev.Attrs["ref"]
	for _, test := range []struct {
		name   string
		req    Request
		before seen
		reads  []Cache
		writes []Cache
	}{
		{"first build", Request{Outputs: push}, seen{}, nil, []Cache{written}},
		{"the cache is there", Request{Outputs: push}, seen{caches: there}, []Cache{own}, []Cache{written}},
		{"nobody knows", Request{Outputs: push}, seen{unknown: true}, []Cache{own}, []Cache{written}},
		{"nobody knows, and nothing is pushed", Request{}, seen{unknown: true}, nil, []Cache{written}},
		{"none", Request{Outputs: push, NoOwnCache: true}, seen{unknown: true}, nil, nil},
		{"given", Request{Outputs: push, CacheFrom: []Cache{given}, CacheTo: []Cache{given}}, seen{caches: there}, []Cache{given, own}, []Cache{given}},
		{"given alone", Request{Outputs: push, CacheFrom: []Cache{given}, NoOwnCache: true}, seen{}, []Cache{given}, nil},
		{"another stage", Request{Outputs: push, Target: "dev"}, seen{unknown: true}, []Cache{ofDev, own}, []Cache{writtenForDev}},
		{"another stage, of which only the runtime was built", Request{Outputs: push, Target: "dev"}, seen{caches: there}, []Cache{own}, []Cache{writtenForDev}},
		{"the runtime by its name", Request{Outputs: push, Target: "runtime"}, seen{}, nil, []Cache{written}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &making{build: running(t, test.req), v: tagged(t, "registry.example/a:1"), before: &test.before}
			if diff := cmp.Diff(test.reads, m.imports()); diff != "" {
				t.Errorf("reads: %s", diff)
			}
			if diff := cmp.Diff(test.writes, m.cacheTargets()); diff != "" {
				t.Errorf("writes: %s", diff)
			}
		})
	}
	m := &making{build: running(t, Request{Compression: "gzip"}), v: tagged(t, "registry.example/a:1"), before: &seen{}}
	if diff := cmp.Diff([]Cache{written}, m.cacheTargets()); diff != "" {
		t.Errorf("the cache of a gzip image: %s", diff)
	}
}

// TestLook asks a registry in memory what it holds.
func TestLook(t *testing.T) {
	server := httptest.NewServer(memory.New(memory.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	ref := host + "/team/app:1"
	b := running(t, Request{Outputs: []Output{{Type: "image", Push: true}}})
	b.registry = registry.New(nil, nil)
	v := tagged(t, ref)
	if s := b.look(t.Context(), b.req, v); s.digest != "" || s.caches != nil || s.unknown || len(s.layers) != 0 {
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
	s := b.look(t.Context(), b.req, v)
	if s.digest != want.String() || s.caches != nil || s.unknown || len(s.layers) != 4 {
		t.Errorf("got %+v, want %s with 4 layers", s, want)
	}

	desc, data, err := b.registry.Manifest(t.Context(), ref)
	if err != nil || digest.FromBytes(data) != desc.Digest {
		t.Fatalf("%v, %v", desc, err)
	}
	for range 2 { // a tag that is there is no error
		if err := b.registry.Tag(t.Context(), host+"/team/app:buildcache-cpu", desc, data); err != nil {
			t.Fatal(err)
		}
	}
	if s := b.look(t.Context(), b.req, v); !slices.Equal(s.caches, []string{host + "/team/app:buildcache-cpu"}) {
		t.Errorf("got %+v, want the cache", s)
	}

	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusForbidden) })
	if s := b.look(t.Context(), b.req, v); !s.unknown {
		t.Errorf("a registry that lets nobody look gives %+v", s)
	}
}

func TestRepository(t *testing.T) {
	for ref, want := range map[string]string{
		"app:1": "docker.io/library/app", "registry.example:5000/team/app:1": "registry.example:5000/team/app",
		"a.example/b@sha256:" + zeros: "a.example/b", "Not A Ref": "Not A Ref",
	} {
		if got := registry.Repository(ref); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}
