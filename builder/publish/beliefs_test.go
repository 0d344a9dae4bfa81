package publish

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"

	memory "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func madeAs(key, blob string) trust.Layer {
	return trust.Layer{Key: digest.FromString(key).String(), Digest: digest.FromString(blob), Size: 1, Diff: digest.FromString("files of " + blob)}
}

// TestReadBeliefs: the client's own record comes first, then those that a key has signed which the user named; whatever else lies in the registry is passed over.
func TestReadBeliefs(t *testing.T) {
	server := httptest.NewServer(memory.New(memory.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client, ref := registry.New(nil, nil), strings.TrimPrefix(server.URL, "http://")+"/team/app"
	mine, other := trust.KeyOf([32]byte{1}), trust.KeyOf([32]byte{2})
	o := with(Options{Outputs: pushed, Keys: []trust.Key{other.Public(), mine}}, ref+":1")
	own := o.OwnCaches()[0]
	put := func(tag string, signer trust.Key, r trust.Record) {
		t.Helper()
		data, err := sealRecord(signer, r, ocispecs.Manifest{MediaType: ocispecs.MediaTypeImageManifest})
		if err != nil {
			t.Fatal(err)
		}
		desc := ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.FromBytes(data), Size: int64(len(data))}
		if err := client.Tag(t.Context(), tag, desc, data); err != nil {
			t.Fatal(err)
		}
	}
	cache := digest.FromString("cache")
	put(recordOf(own, mine), mine, trust.Record{Layers: []trust.Layer{madeAs("numpy", "mine"), madeAs("rich", "mine")}}.WithCache("buildcache-cpu", cache))
	put(recordOf(own, other), mine, trust.Record{Layers: []trust.Layer{madeAs("torch", "forged")}}) // signed with a key, but not that one
	local := trust.Local{Dir: t.TempDir(), Daemon: "d"}
	if err := local.Write(own, trust.Record{Layers: []trust.Layer{madeAs("numpy", "local")}}); err != nil {
		t.Fatal(err)
	}
	b := readBeliefs(t.Context(), client, o, local)
	for key, want := range map[string]string{"numpy": "local", "rich": "mine", "torch": ""} {
		l, ok := b.layer(digest.FromString(key).String())
		if ok != (want != "") || ok && l.Digest != digest.FromString(want) {
			t.Errorf("%s: %v, %v", key, l, ok)
		}
	}
	if !b.cache(own, cache) || b.cache(own, digest.FromString("another")) || b.cache(own+"-dev", cache) {
		t.Errorf("caches: %v", b.all)
	}
	if refs := b.writtenBefore(o); len(refs) != 1 || refs[0] != ref+"@"+cache.String() {
		t.Errorf("written before: %v", refs)
	}
	o.NoOwnCache = true
	if b := readBeliefs(t.Context(), client, o, local); len(b.all) != 1 {
		t.Errorf("without the own cache: %v", b.all)
	}
	o.NoOwnCache, o.Keys = false, nil
	if b := readBeliefs(t.Context(), client, o, trust.Local{}); len(b.all) != 0 {
		t.Errorf("without a key: %v", b.all)
	}
}

// TestRenewed: a record is written where something in it is new.
func TestRenewed(t *testing.T) {
	r := trust.Record{Layers: []trust.Layer{madeAs("numpy", "a")}}.WithCache("c", digest.FromString("c"))
	for _, test := range []struct {
		layers []trust.Layer
		cache  digest.Digest
		want   bool
	}{
		{nil, "", false},
		{[]trust.Layer{madeAs("numpy", "a")}, digest.FromString("c"), false},
		{[]trust.Layer{madeAs("numpy", "b")}, "", true},
		{[]trust.Layer{madeAs("rich", "a")}, "", true},
		{nil, digest.FromString("d"), true},
	} {
		next, got := renewed(r, test.layers, "c", test.cache)
		if got != test.want || !next.Holds(test.layers) || test.cache != "" && next.Caches["c"] != test.cache {
			t.Errorf("%v: %v, %v", test, got, next)
		}
	}
}

func TestWrittenCache(t *testing.T) {
	d := digest.FromString("m")
	for answer, want := range map[string]digest.Digest{`{"mediaType":"a/b","digest":"` + d.String() + `","size":7}`: d, "": "", "{}": "", `{"digest":"../x"}`: ""} {
		if got := writtenCache(&bkclient.SolveResponse{ExporterResponse: map[string]string{"cache.manifest": answer}}); got != want {
			t.Errorf("%q: %s", answer, got)
		}
	}
}

// TestLostBlobsAreKnown: a blob that the registry has lost is not there for anybody, and the tag's image is not done.
func TestLostBlobsAreKnown(t *testing.T) {
	image, _ := image(t, time.Unix(0, 0), "base", "numpy")
	s := &RemoteState{digest: "sha256:tag", image: image, lost: map[digest.Digest]bool{layer("numpy").Digest: true}, layers: map[digest.Digest]bool{layer("base").Digest: true}}
	plan := Plan{Expected: Route{ClientPush, "planned"}}
	if got := plan.Route("sha256:tag", image.data, s); got.Kind != ClientPush {
		t.Errorf("%v", got)
	}
	s.lost = nil
	if got := plan.Route("sha256:tag", image.data, s); got.Kind != Nothing {
		t.Errorf("%v", got)
	}
}

// TestMissing: only an answer that says so shows that a registry kept nothing.
func TestMissing(t *testing.T) {
	server := httptest.NewServer(memory.New(memory.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client, ref := registry.New(nil, nil), strings.TrimPrefix(server.URL, "http://")+"/team/app:1"
	_, err := client.Blob(t.Context(), ref, ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.FromString("x"), Size: 1})
	expect(t, missing(ref, err), fault.Registry, "does not have it")
	server.Close()
	_, err = client.Blob(t.Context(), ref, ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.FromString("x"), Size: 1})
	if err == nil || missing(ref, err) != nil {
		t.Errorf("a registry that is away: %v", err)
	}
}
