package publish

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestCaches(t *testing.T) {
	own := Cache{Type: "registry", Attrs: map[string]string{"ref": "registry.example/a:buildcache-cpu"}}
	given := Cache{Type: "gha", Attrs: map[string]string{"scope": "x"}}
	written := Cache{Type: "registry", Attrs: map[string]string{"ref": "registry.example/a:buildcache-cpu", "mode": "min",
		"oci-mediatypes": "true", "image-manifest": "true", "compression": "zstd"}}
	there := []string{"registry.example/a:buildcache-cpu"}
	believed := RemoteState{caches: there, imports: there}
	ofDev := Cache{Type: "registry", Attrs: map[string]string{"ref": "registry.example/a:buildcache-cpu-dev"}}
	writtenForDev := Cache{Type: "registry", Attrs: maps.Clone(written.Attrs)}
	writtenForDev.Attrs["ref"] = ofDev.Attrs["ref"]
	for _, test := range []struct {
		name   string
		opts   Options
		before RemoteState
		reads  []Cache
		writes []Cache
	}{
		{"first build", Options{Outputs: pushed}, RemoteState{}, nil, []Cache{written}},
		{"the cache is there", Options{Outputs: pushed}, RemoteState{caches: there}, nil, []Cache{written}},
		{"the cache is believed", Options{Outputs: pushed}, believed, []Cache{own}, []Cache{written}},
		{"nobody knows", Options{Outputs: pushed}, RemoteState{unknown: true}, nil, []Cache{written}},
		{"nobody knows, and nothing is pushed", Options{}, RemoteState{unknown: true}, nil, []Cache{written}},
		{"none", Options{Outputs: pushed, NoOwnCache: true}, RemoteState{unknown: true}, nil, nil},
		{"given", Options{Outputs: pushed, CacheFrom: []Cache{given}, CacheTo: []Cache{given}}, believed, []Cache{given, own}, []Cache{given}},
		{"given alone", Options{Outputs: pushed, CacheFrom: []Cache{given}, NoOwnCache: true}, RemoteState{}, []Cache{given}, nil},
		{"another stage", Options{Outputs: pushed, Target: "dev"}, RemoteState{imports: []string{ofDev.Attrs["ref"], there[0]}}, []Cache{ofDev, own}, []Cache{writtenForDev}},
		{"another stage, of which only the runtime was built", Options{Outputs: pushed, Target: "dev"}, believed, []Cache{own}, []Cache{writtenForDev}},
		{"the runtime by its name", Options{Outputs: pushed, Target: "runtime"}, RemoteState{}, nil, []Cache{written}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := publisher(with(test.opts, "registry.example/a:1"), nil)
			if diff := cmp.Diff(test.reads, p.Imports(&test.before, nil)); diff != "" {
				t.Errorf("reads: %s", diff)
			}
			if diff := cmp.Diff(test.writes, p.CacheTargets()); diff != "" {
				t.Errorf("writes: %s", diff)
			}
		})
	}
	if diff := cmp.Diff([]Cache{written}, with(Options{Compression: "gzip"}, "registry.example/a:1").CacheTargets()); diff != "" {
		t.Errorf("the cache of a gzip image: %s", diff)
	}
}

// TestCheckNames: no image goes under a tag where caches lie.
func TestCheckNames(t *testing.T) {
	for _, test := range []struct {
		tag     string
		cacheTo string
		want    string
	}{
		{tag: "registry.example/a:1"},
		{tag: "registry.example/buildcache-cpu:1"},
		{tag: "registry.example/a:1-buildcache-cpu"},
		{tag: "registry.example/a:buildcache-cpu", want: "is kept for the caches"},
		{tag: "registry.example/a:buildcache-anything", want: "is kept for the caches"},
		{tag: "registry.example/a:1", cacheTo: "registry.example/a:cache"},
		{tag: "registry.example/a:1", cacheTo: "registry.example/a:1", want: "the image and the cache"},
		{tag: "docker.io/library/a:latest", cacheTo: "a", want: "the image and the cache"},
	} {
		o := with(Options{}, "registry.example/b:1", test.tag)
		if test.cacheTo != "" {
			o.CacheTo = []Cache{{Type: "registry", Attrs: map[string]string{"ref": test.cacheTo}}}
		}
		err := o.CheckNames()
		if test.want == "" && err == nil {
			continue
		}
		expect(t, err, fault.Ref, test.want)
	}
}
