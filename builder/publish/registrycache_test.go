package publish

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// TestCacheServes: after a build of everything the cache lacks nothing and nothing ran. After one that took layers from the tag it lacks few bytes, of wheels alone.
func TestCacheServes(t *testing.T) {
	plan := &layerplan.Plan{BaseLayers: 1, Layers: []layerplan.Layer{{Kind: "system"}, {Kind: "wheels", Size: 1}, {Kind: "wheels", Size: 1}, {Kind: "built"}, {Kind: "app"}}}
	sizes := []int64{500, 10, 25, 60, 5, 1000}
	layers := make([]ocispecs.Descriptor, len(sizes))
	for i, n := range sizes {
		layers[i] = ocispecs.Descriptor{Digest: digest.FromString(string(rune('a' + i))), Size: n}
	}
	const system, quarter, most, built, app = 1, 2, 3, 4, 5
	for _, test := range []struct {
		name       string
		reuse      bool
		files      bool // nothing else was made
		lacks      []int
		made       bool
		noCache    bool
		noOwn      bool
		otherPlan  bool
		want       bool
		everything bool // what cacheHolds says
	}{
		{name: "everything was built", want: true, everything: true},
		{name: "and the cache lacks the project's files", lacks: []int{0, app}, want: true, everything: true},
		{name: "and a step ran", made: true, everything: true},
		{name: "and the cache lacks a wheel", lacks: []int{quarter}},
		{name: "and there is no cache", noCache: true},
		{name: "and the image has other layers", otherPlan: true},
		{name: "layers were taken", reuse: true, made: true, want: true, everything: true},
		{name: "and the cache lacks a quarter", reuse: true, made: true, lacks: []int{quarter, app}, want: true},
		{name: "and the cache lacks more", reuse: true, lacks: []int{most}},
		{name: "and the cache lacks what was compiled", reuse: true, lacks: []int{built}},
		{name: "and the cache lacks a system package", reuse: true, lacks: []int{system}},
		{name: "and there is no cache", reuse: true, noCache: true},
		{name: "and the image has other layers", reuse: true, otherPlan: true},
		{name: "and only files were made", reuse: true, files: true, lacks: []int{system, built}, want: true},
		{name: "and no cache is wanted", reuse: true, noCache: true, noOwn: true, want: true},
	} {
		p := publisher(with(Options{NoOwnCache: test.noOwn}, "registry.example/a:1"), nil)
		m := Made{Decided: Decided{Graphs: []Graph{{Graph: &llb.Graph{Plan: plan}}}, Remote: &RemoteState{cached: map[digest.Digest]bool{}}}}
		if !test.noCache {
			m.Remote.caches = p.OwnCaches()
			for _, l := range layers {
				m.Remote.cached[l.Digest] = true
			}
		}
		for _, i := range test.lacks {
			delete(m.Remote.cached, layers[i].Digest)
		}
		if test.reuse {
			m.Plan.reuse = &reuse{made: []int{2, 4}}
		}
		if test.files {
			m.Plan.reuse.made = []int{4}
		}
		all := layers
		if test.otherPlan {
			all = layers[1:]
		}
		if test.made {
			m.Steps.Ran = 1
		}
		m.Digest = "sha256:new"
		if got := p.cacheServes(m, all); got != test.want {
			t.Errorf("%s: serves %v", test.name, got)
		}
		if got := p.cacheHolds(m, all); got != test.everything {
			t.Errorf("%s: holds %v", test.name, got)
		}
	}
}

// TestStarts: where nothing is believed, a build learns from another of its tags in the repository which blobs are there.
func TestStarts(t *testing.T) {
	for _, o := range []Options{{}, {NoOwnCache: true}, {Target: "testing"}} {
		want := []string{"registry.example/a:main"}
		if d := cmp.Diff(want, with(o, "registry.example/a:1", "registry.example/b:main", "registry.example/a:main").starts()); d != "" {
			t.Errorf("%+v (-want +got):\n%s", o, d)
		}
	}
}

// TestPartImports: a cache is read where more is to be made than what is made as fast.
func TestPartImports(t *testing.T) {
	wheels, files := layerplan.Layer{Kind: layerplan.KindWheels, Size: 10 << 20}, layerplan.Layer{Kind: layerplan.KindApp}
	for _, test := range []struct {
		name   string
		layers []layerplan.Layer // that are made, after one that is not
		below  layerplan.Kind    // its kind
		want   bool
	}{
		{"files", []layerplan.Layer{files}, "system", false},
		{"a wheel and files", []layerplan.Layer{wheels, files}, "system", false},
		{"much of wheels", []layerplan.Layer{wheels, {Kind: "wheels", Size: maxQuick}}, "skeleton", true},
		{"a wheel of unknown size", []layerplan.Layer{{Kind: "wheels"}}, "skeleton", true},
		{"something compiled", []layerplan.Layer{{Kind: "built", Size: 1}}, "skeleton", true},
		{"files and their bytecode", []layerplan.Layer{files, files}, "skeleton", true},
		{"a user and directories", []layerplan.Layer{{Kind: "account"}, {Kind: "skeleton"}}, "wheels", false},
		{"a user on system packages", []layerplan.Layer{{Kind: "account"}}, "system", true},
		{"a user on what a hook left", []layerplan.Layer{{Kind: "account"}}, "run", true},
	} {
		p := publisher(with(Options{}, "registry.example/a:1"), nil)
		plan := &layerplan.Plan{Layers: append([]layerplan.Layer{{Kind: test.below}}, test.layers...)}
		d := Decided{Graphs: []Graph{{Graph: &llb.Graph{Plan: plan}}}, Remote: &RemoteState{imports: p.OwnCaches()}, Plan: Plan{reuse: &reuse{}}}
		for i := range test.layers {
			d.Plan.reuse.made = append(d.Plan.reuse.made, i+1)
		}
		if got := len(p.partImports(d)) > 0; got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
