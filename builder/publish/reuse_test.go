package publish

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// threeLayers is a graph of a base's layer, one that is known, and the project's files.
func threeLayers(t *testing.T, key string) Graph {
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
	plan := &layerplan.Plan{BaseLayers: 1, Layers: []layerplan.Layer{{Kind: "wheels"}, {Kind: "app"}}}
	return Graph{Graph: &llb.Graph{Config: config, Plan: plan}}
}

func layer(name string) ocispecs.Descriptor {
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayerZstd, Digest: digest.FromString(name), Size: int64(len(name))}
}

// image is a manifest and a config of such layers; they are called by the same names when unpacked.
func image(t *testing.T, created time.Time, names ...string) (remoteImage, partImage) {
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
	return remoteImage{data: manifest, config: data}, partImage{manifest: m, config: data}
}

func refTo(name string) layerRef {
	return layerRef{layer(name), digest.FromString("unpacked " + name)}
}

// fromTag takes all layers but the project's files.
func fromTag() *reuse {
	return &reuse{base: []layerRef{refTo("base")}, layers: []layerRef{refTo("numpy"), {}}, made: []int{1}}
}

// TestWhole: the layers that were made take their places, and no entry of the history is later than the image.
func TestWhole(t *testing.T) {
	epoch := time.Unix(1_700_000_000, 0).UTC()
	_, small := image(t, epoch, "new files")
	manifest, config, err := fromTag().whole(threeLayers(t, ""), small, epoch)
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

// TestWholeOfOtherLayers: a part that does not have the layers that were to be made is not taken.
func TestWholeOfOtherLayers(t *testing.T) {
	_, none := image(t, time.Unix(0, 0))
	_, two := image(t, time.Unix(0, 0), "files", "more files")
	_, based := image(t, time.Unix(0, 0), "base", "files")
	for name, small := range map[string]partImage{"none": none, "two": two, "one with a base": based, "no config": {config: []byte("<html>")}} {
		if _, _, err := fromTag().whole(threeLayers(t, ""), small, time.Time{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestWholeOnAnotherBase: a new base's layers are exported with the others.
func TestWholeOnAnotherBase(t *testing.T) {
	_, small := image(t, time.Unix(0, 0), "new base", "more of it", "new files")
	r := fromTag()
	r.base = nil
	layers, diffs, err := r.fill(2, small)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ocispecs.Descriptor{layer("new base"), layer("more of it"), layer("numpy"), layer("new files")}, layers); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
	if len(diffs) != 4 || diffs[2] != refTo("numpy").diff || diffs[3] != refTo("new files").diff {
		t.Errorf("unpacked %v", diffs)
	}
}

// facts are what Decide reads.
type facts struct {
	opts   Options
	remote RemoteState
	graphs []Graph
	whole  bool
}

// TestReuses: layers are taken from an image by their keys, wherever in it they are.
func TestReuses(t *testing.T) {
	onBase := []layerRef{refTo("base")}
	keys := map[string]string{"numpy": digest.FromString("numpy").String(), "rich": digest.FromString("rich").String()}
	for _, test := range []struct {
		name   string
		change func(m *facts)
		want   *reuse
	}{
		{"other files", func(*facts) {}, &reuse{base: onBase, layers: []layerRef{refTo("numpy"), {}}, made: []int{1}}},
		{"a package more", func(m *facts) { m.graphs[0] = plannedAs(t, "rich", keys["rich"], "numpy", keys["numpy"], "files", "") },
			&reuse{base: onBase, layers: []layerRef{{}, refTo("numpy"), {}}, made: []int{0, 2}}},
		{"a package more in the record", func(m *facts) {
			m.remote = believing("rich", keys["rich"], "numpy", keys["numpy"])
		},
			&reuse{base: onBase, layers: []layerRef{refTo("numpy"), {}}, made: []int{1}}},
		{"no files", func(m *facts) { m.graphs[0] = plannedAs(t, "numpy", keys["numpy"], "rich", keys["rich"]) },
			&reuse{base: onBase, layers: []layerRef{refTo("numpy"), {}}, made: []int{1}}},
		{"nothing to make", func(m *facts) {
			m.remote = believing("numpy", keys["numpy"], "rich", keys["rich"])
			m.graphs[0] = plannedAs(t, "numpy", keys["numpy"], "rich", keys["rich"])
		}, &reuse{base: onBase, layers: []layerRef{refTo("numpy"), refTo("rich")}, made: []int{1}, idle: true}},
		{"a tag in another repository", func(m *facts) { m.opts.Tags = append(m.opts.Tags, "registry.example/b:1") }, nil},
		{"nothing but the base", func(m *facts) {
			m.graphs[0] = plannedAs(t, "numpy", keys["numpy"])
			m.remote.base = nil
		}, &reuse{layers: []layerRef{refTo("numpy")}}},
		{"nothing to take", func(m *facts) { m.graphs[0] = plannedAs(t, "rich", keys["rich"], "files", "") }, nil},
		{"no record", func(m *facts) { m.remote.beliefs = beliefs{} }, nil},
		{"an image that anybody may have pushed", func(m *facts) {
			m.remote.beliefs, m.remote.image = beliefs{}, pushedAs(t, "zstd", "numpy", keys["numpy"], "old files", "")
		}, nil},
		{"a layer that is lost", func(m *facts) { delete(m.remote.layers, layer("numpy").Digest) }, nil},
		{"a layer of the base that is lost", func(m *facts) { delete(m.remote.layers, layer("base").Digest) },
			&reuse{layers: []layerRef{refTo("numpy"), {}}, made: []int{1}}},
		{"composing failed", func(m *facts) { m.whole = true }, nil},
		{"the registry does not answer", func(m *facts) { m.remote.unknown = true }, nil},
		{"another output beside", func(m *facts) { m.opts.Outputs = append(m.opts.Outputs, Output{Type: "tar"}) }, nil},
		{"gzip", func(m *facts) { m.opts.Compression = "gzip" }, nil},
		{"an attribute of the exporter", func(m *facts) { m.opts.Outputs[0].Attrs = map[string]string{"unpack": "true"} }, nil},
		{"a cache of one's own", func(m *facts) { m.opts.CacheTo = []Cache{{Type: "local"}} }, nil},
		{"--no-cache", func(m *facts) { m.opts.Again = true }, nil},
		{"two platforms", func(m *facts) { m.graphs = append(m.graphs, m.graphs[0]) }, nil},
		{"a layer without a key", func(m *facts) { m.graphs[0] = plannedAs(t, "numpy", keys["numpy"], "branch", "", "files", "") }, nil},
		{"a base of which nobody knows the manifest", func(m *facts) { m.remote.base = nil },
			&reuse{layers: []layerRef{refTo("numpy"), {}}, made: []int{1}}},
		{"a graph that does not merge its layers", func(m *facts) { m.graphs[0].Lineage = llb.Lineage{} }, nil},
	} {
		m := &facts{
			opts:   with(Options{NoOwnCache: true, Outputs: slices.Clone(pushed)}, "registry.example/a:1"),
			graphs: []Graph{plannedAs(t, "numpy", keys["numpy"], "files", "")},
			remote: believing("numpy", keys["numpy"]),
		}
		test.change(m)
		got := Decide(m.opts, &m.remote, m.graphs, How{Whole: m.whole}).reuse
		if got != nil {
			if got.part == nil {
				t.Errorf("%s: no part", test.name)
			}
			got.part = nil
		}
		if d := cmp.Diff(test.want, got, cmp.AllowUnexported(reuse{}, layerRef{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

// believing is a repository that has the base and layers with keys of which a record tells: names and keys.
func believing(made ...string) RemoteState {
	s := RemoteState{base: []layerRef{refTo("base")}, layers: map[digest.Digest]bool{layer("base").Digest: true}}
	var r trust.Record
	for i := 0; i < len(made); i += 2 {
		l := refTo(made[i])
		s.layers[l.desc.Digest] = true
		r.Layers = append(r.Layers, trust.Layer{Key: made[i+1], Digest: l.desc.Digest, Size: l.desc.Size, Diff: l.diff})
	}
	s.beliefs.believe(r)
	return s
}

// plannedAs is a graph of a base's layer and of own ones: names and keys. Those of files are the project's.
func plannedAs(t *testing.T, own ...string) Graph {
	t.Helper()
	plan := &layerplan.Plan{BaseLayers: 1}
	history := []ocispecs.History{{CreatedBy: "base"}, {CreatedBy: "CMD sh", EmptyLayer: true}}
	sources := []string{"base"}
	for i := 0; i < len(own); i += 2 {
		kind := layerplan.KindWheels
		if strings.HasSuffix(own[i], "files") {
			kind = layerplan.KindApp
		}
		plan.Layers = append(plan.Layers, layerplan.Layer{Kind: kind, Name: own[i]})
		sources = append(sources, own[i])
		history = append(history, ocispecs.History{CreatedBy: own[i], Comment: own[i+1]})
	}
	config, err := json.Marshal(ocispecs.Image{History: history})
	if err != nil {
		t.Fatal(err)
	}
	def, inputs := merged(t, sources)
	lineage := llb.Lineage{Base: inputs[0], Layers: inputs[1:]}
	return Graph{Graph: &llb.Graph{Config: config, Plan: plan, Definition: def, Lineage: lineage}, Base: []digest.Digest{digest.FromString("unpacked base")}}
}

// sentAs gives layers of a graph keys that say what files of the project they are made from.
func sentAs(g Graph, keys ...string) Graph {
	g.Sent, g.Steady = keys, func(int) bool { return true }
	return g
}

// TestKeysOfGraph: what was made while its files changed is remembered by no key.
func TestKeysOfGraph(t *testing.T) {
	g := sentAs(plannedAs(t, "numpy", "n", "own package", "", "data", "", "files", ""), "", "own", "other", "")
	g.Steady = func(layer int) bool { return layer != 2 }
	keys, err := g.keys()
	if err != nil || !slices.Equal(keys, []string{"n", "own", "other", ""}) {
		t.Errorf("keys %q, %v", keys, err)
	}
	if made, err := g.made(); err != nil || !slices.Equal(made, []string{"n", "own", "", ""}) {
		t.Errorf("what was made is known as %q, %v", made, err)
	}
}

// merged is a definition that lays sources one over the other, and the sources as its inputs.
func merged(t *testing.T, sources []string) (*pb.Definition, []*pb.Input) {
	t.Helper()
	def, merge := &pb.Definition{}, &pb.MergeOp{}
	add := func(op *pb.Op) *pb.Input {
		data, err := op.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		def.Def = append(def.Def, data)
		return &pb.Input{Digest: digest.FromBytes(data).String()}
	}
	top := &pb.Op{Op: &pb.Op_Merge{Merge: merge}}
	for i, s := range sources {
		top.Inputs = append(top.Inputs, add(&pb.Op{Op: &pb.Op_Source{Source: &pb.SourceOp{Identifier: "docker-image://" + s}}}))
		merge.Inputs = append(merge.Inputs, &pb.MergeInput{Input: int64(i)})
	}
	add(&pb.Op{Inputs: []*pb.Input{add(top)}})
	return def, top.Inputs
}

// pushedAs is the image of such a graph in a registry.
func pushedAs(t *testing.T, codec string, own ...string) remoteImage {
	t.Helper()
	names := []string{"base"}
	for i := 0; i < len(own); i += 2 {
		names = append(names, own[i])
	}
	p, _ := image(t, time.Unix(0, 0), names...)
	var all struct {
		History json.RawMessage `json:"history"`
	}
	if err := json.Unmarshal(plannedAs(t, own...).Config, &all); err != nil {
		t.Fatal(err)
	}
	config, err := withKeys(p.config, map[string]any{"history": all.History})
	if err != nil {
		t.Fatal(err)
	}
	return remoteImage{data: []byte(strings.ReplaceAll(string(p.data), "+zstd", "+"+codec)), config: config}
}

// TestImageUnderItsTag: where every layer is known and the tag names the image of these layers with this config, nothing is left to be made. Any difference is one.
func TestImageUnderItsTag(t *testing.T) {
	opts := with(Options{NoOwnCache: true, Outputs: slices.Clone(pushed)}, "registry.example/a:1")
	key, files := digest.FromString("numpy").String(), digest.FromString("files").String()
	graph := func() Graph { return sentAs(plannedAs(t, "numpy", key, "files", ""), "", files) }
	there := func() RemoteState {
		_, part := image(t, time.Unix(0, 0), "files")
		part.manifest.SchemaVersion, part.manifest.Annotations = 2, nil
		part.manifest.Config.MediaType = ocispecs.MediaTypeImageConfig
		var err error
		if part.config, err = withKeys(graph().Config, map[string]any{"rootfs": ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{refTo("files").diff}}}); err != nil {
			t.Fatal(err)
		}
		manifest, _, err := fromTag().whole(graph(), part, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		s := believing("numpy", key, "files", files)
		s.image.data, s.digest = manifest, digest.FromBytes(manifest).String()
		return s
	}
	for name, test := range map[string]struct {
		change func(*RemoteState, *Graph)
		want   bool
	}{
		"the same":        {func(*RemoteState, *Graph) {}, true},
		"a blob was lost": {func(s *RemoteState, _ *Graph) { s.lost = map[digest.Digest]bool{layer("numpy").Digest: true} }, false},
		"another setting": {func(_ *RemoteState, g *Graph) {
			g.Config = bytes.Replace(g.Config, []byte("CMD sh"), []byte("CMD zsh"), 1)
		}, false},
		"another image under the tag":  {func(s *RemoteState, _ *Graph) { s.digest = digest.FromString("another").String() }, false},
		"no image under the tag":       {func(s *RemoteState, _ *Graph) { s.image, s.digest = remoteImage{}, "" }, false},
		"other files":                  {func(_ *RemoteState, g *Graph) { g.Sent[1] = digest.FromString("edited").String() }, false},
		"files that nobody could read": {func(_ *RemoteState, g *Graph) { g.Sent[1] = "" }, false},
		"another base":                 {func(s *RemoteState, _ *Graph) { s.base = []layerRef{refTo("numpy")} }, false},
		"a base nobody knows":          {func(s *RemoteState, _ *Graph) { s.base = nil }, false},
	} {
		s, g := there(), graph()
		test.change(&s, &g)
		here := Decide(opts, &s, []Graph{g}, How{}).Here()
		if (here != nil) != test.want {
			t.Errorf("%s: nothing is left: %v", name, here != nil)
		}
		if here != nil && here.Digest != s.digest {
			t.Errorf("%s: %s", name, here.Digest)
		}
	}
}
