package builder

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
)

// threeLayers is a graph of a base's layer, one that is known, and the project's files.
func threeLayers(t *testing.T, key string) compiled {
	t.Helper()
	late := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	config, err := json.Marshal(ocispecs.Image{
		Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		History: []ocispecs.History{
			{Created: &late, CreatedBy: "base"}, {CreatedBy: "CMD sh", EmptyLayer: true},
			{Created: &time.Time{}, CreatedBy: "mlbuild wheels: numpy", Comment: key}, {Created: &time.Time{}, CreatedBy: "mlbuild app: files"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	plan := &llb.Plan{BaseLayers: 1, Layers: []llb.Layer{{Kind: "wheels"}, {Kind: "app"}}}
	return compiled{graph: &llb.Graph{Config: config, Plan: plan}}
}

func layer(name string) ocispecs.Descriptor {
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayerZstd, Digest: digest.FromString(name), Size: int64(len(name))}
}

// image is a manifest and a config of such layers; they are called by the same names when unpacked.
func image(t *testing.T, created time.Time, names ...string) (placed, smallImage) {
	t.Helper()
	config := ocispecs.Image{Created: &created, Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ocispecs.RootFS{Type: "layers"}}
	m := ocispecs.Manifest{MediaType: ocispecs.MediaTypeImageManifest, Annotations: map[string]string{"a": "b"}}
	for _, n := range names {
		m.Layers = append(m.Layers, layer(n))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromString("unpacked "+n))
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return placed{data: manifest, config: data}, smallImage{m, data}
}

// TestWhole: the layers that were sent take the places of the old ones, and no entry of the history is later than the image.
func TestWhole(t *testing.T) {
	epoch := time.Unix(1_700_000_000, 0).UTC()
	before, _ := image(t, time.Unix(0, 0).UTC(), "base", "numpy", "old files")
	_, small := image(t, epoch, "new files")
	m := &making{build: running(t, Request{Epoch: epoch}), before: &seen{image: before}, graphs: []compiled{threeLayers(t, "")}}
	manifest, config, err := m.whole(small)
	if err != nil {
		t.Fatal(err)
	}
	var gotManifest ocispecs.Manifest
	var got ocispecs.Image
	if err := json.Unmarshal(manifest, &gotManifest); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(config, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ocispecs.Descriptor{layer("base"), layer("numpy"), layer("new files")}, gotManifest.Layers); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
	if c := gotManifest.Config; c.Digest != digest.FromBytes(config) || c.Size != int64(len(config)) || gotManifest.Annotations["a"] != "b" {
		t.Errorf("manifest %s", manifest)
	}
	want := []digest.Digest{digest.FromString("unpacked base"), digest.FromString("unpacked numpy"), digest.FromString("unpacked new files")}
	if d := cmp.Diff(want, got.RootFS.DiffIDs); d != "" {
		t.Errorf("unpacked (-want +got):\n%s", d)
	}
	for i, at := range []time.Time{epoch, epoch, {}, {}} {
		if !got.History[i].Created.Equal(at) {
			t.Errorf("%q is of %v, want %v", got.History[i].CreatedBy, got.History[i].Created, at)
		}
	}
	if !got.Created.Equal(epoch) {
		t.Errorf("created %v", got.Created)
	}
}

// TestWholeOfOtherLayers: images that do not have the layers of the plan are not put together.
func TestWholeOfOtherLayers(t *testing.T) {
	before, _ := image(t, time.Unix(0, 0), "base", "numpy", "old files")
	_, none := image(t, time.Unix(0, 0))
	_, two := image(t, time.Unix(0, 0), "files", "more files")
	for name, small := range map[string]smallImage{"none": none, "two": two, "no config": {config: []byte("<html>")}} {
		m := &making{build: running(t, Request{}), before: &seen{image: before}, graphs: []compiled{threeLayers(t, "")}}
		if _, _, err := m.whole(small); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReuses: only an image whose layers are known, zstd, and in the cache where there is one, is taken up.
func TestReuses(t *testing.T) {
	key := digest.FromString("numpy").String()
	withHistory := func(p placed, history []byte) placed {
		var c map[string]json.RawMessage
		if err := json.Unmarshal(p.config, &c); err != nil {
			t.Fatal(err)
		}
		c["history"] = history
		p.config, _ = json.Marshal(c)
		return p
	}
	good := func() *making {
		c := threeLayers(t, key)
		before, _ := image(t, time.Unix(0, 0), "base", "numpy", "old files")
		var config map[string]json.RawMessage
		if err := json.Unmarshal(c.graph.Config, &config); err != nil {
			t.Fatal(err)
		}
		c.inputs.Base.Config.RootFS.DiffIDs = []digest.Digest{digest.FromString("unpacked base")}
		req := Request{NoOwnCache: true, Outputs: []Output{{Type: "image", Push: true}}}
		return &making{build: running(t, req), v: tagged(t, "registry.example/a:1"), graphs: []compiled{c}, before: &seen{image: withHistory(before, config["history"])}}
	}
	for _, test := range []struct {
		name   string
		change func(m *making)
		want   bool
	}{
		{"as it should be", func(*making) {}, true},
		{"composing failed", func(m *making) { m.full = true }, false},
		{"the registry does not answer", func(m *making) { m.before.unknown = true }, false},
		{"another output beside", func(m *making) { m.req.Outputs = append(m.req.Outputs, Output{Type: "tar"}) }, false},
		{"gzip", func(m *making) { m.req.Compression = "gzip" }, false},
		{"an attribute of the exporter", func(m *making) { m.req.Outputs[0].Attrs = map[string]string{"unpack": "true"} }, false},
		{"a cache of one's own", func(m *making) { m.req.CacheTo = []Cache{{Type: "local"}} }, false},
		{"--no-cache", func(m *making) { m.req.NoCache = llb.AllStages }, false},
		{"two platforms", func(m *making) { m.graphs = append(m.graphs, m.graphs[0]) }, false},
		{"a layer without a key", func(m *making) {
			m.graphs[0].graph = threeLayers(t, "").graph
			m.before.image.config = []byte(strings.ReplaceAll(string(m.before.image.config), key, ""))
		}, false},
		{"another key", func(m *making) { m.graphs[0].graph = threeLayers(t, digest.FromString("other").String()).graph }, false},
		{"gzip layers under the tag", func(m *making) {
			m.before.image.data = []byte(strings.ReplaceAll(string(m.before.image.data), "+zstd", "+gzip"))
		}, false},
		{"an own cache without these layers", func(m *making) { m.req.NoOwnCache = false }, false},
		{"nothing that is sent", func(m *making) { m.graphs[0].graph.Plan.Layers[1].Kind = "copy" }, false},
	} {
		m := good()
		test.change(m)
		if got := m.reuses(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
