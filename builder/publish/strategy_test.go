package publish

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestSameLayers: what stands in the history and the base's layers count; settings and the times that the exporter lowers do not.
func TestSameLayers(t *testing.T) {
	const compiled = `{"os": "linux", "config": {"Env": ["A=1"]}, "rootfs": {"type": "layers"},
		"history": [{"created": "2024-01-02T03:04:05Z", "created_by": "base"}, {"created": "1970-01-01T00:00:00Z", "created_by": "numpy"}]}`
	const base = "sha256:aa"
	pushed := func(env, diffs string) string {
		return `{"rootfs": {"type": "layers", "diff_ids": [` + diffs + `]}, "config": {"Env": ["` + env + `"]}, "os": "linux",
			"history": [{"created": "1970-01-01T00:00:00Z", "created_by": "base"}, {"created": "1970-01-01T00:00:00Z", "created_by": "numpy"}]}`
	}
	for _, test := range []struct {
		name   string
		pushed string
		want   bool
	}{
		{"the same", pushed("A=1", `"sha256:aa", "sha256:cc"`), true},
		{"another setting", pushed("A=2", `"sha256:aa", "sha256:cc"`), true},
		{"another base", pushed("A=1", `"sha256:bb", "sha256:cc"`), false},
		{"fewer layers than the base", pushed("A=1", ""), false},
		{"another history", `{"os": "linux", "config": {"Env": ["A=1"]}, "rootfs": {"diff_ids": ["sha256:aa"]}, "history": []}`, false},
		{"no image", "", false},
		{"no JSON", "<html>", false},
	} {
		if got := sameLayers([]byte(test.pushed), []byte(compiled), []digest.Digest{base}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestDescriptorOf(t *testing.T) {
	got := descriptorOf("eyJtZWRpYVR5cGUiOiJhL2IiLCJkaWdlc3QiOiJzaGEyNTY6YWEiLCJzaXplIjo3fQ==") // {"mediaType":"a/b","digest":"sha256:aa","size":7}
	if got.MediaType != "a/b" || got.Digest != "sha256:aa" || got.Size != 7 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "%", "bm90IEpTT04="} {
		if got := descriptorOf(bad); got.Digest != "" {
			t.Errorf("descriptorOf(%q) = %+v", bad, got)
		}
	}
}

// TestDecide: what is to be done with an image is one value, and says why.
func TestDecide(t *testing.T) {
	key := digest.FromString("numpy").String()
	image := func(t *testing.T, f *facts) {
		f.remote = believing("numpy", key)
	}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, f *facts)
		want   string
	}{
		{"no push", func(_ *testing.T, f *facts) { f.opts.Outputs = []Output{{Type: OCI}} }, "no push: no output goes to a registry"},
		{"an edit", image, "push of the new layers: 1 of 2 layers beside the base's are to be made, the registry has the others"},
		{"the first build", func(*testing.T, *facts) {}, "push by the daemon: no record that is believed tells of layers"},
		{"nobody knows", func(_ *testing.T, f *facts) { f.remote.unknown = true }, "push by the daemon: the registry did not say what it has"},
		{"other outputs", func(t *testing.T, f *facts) {
			f.opts.Outputs = append(f.opts.Outputs, Output{Type: OCI})
		}, "push by the daemon: the image has other outputs too"},
		{"gzip", func(_ *testing.T, f *facts) { f.opts.Compression = "gzip" }, "push by the daemon: the layers are not zstd, or the output has attributes"},
		{"gzip of the layers that the tag names", func(t *testing.T, f *facts) {
			f.opts.Compression = "gzip"
			f.remote.image = pushedAs(t, "gzip", "numpy", key, "files", "")
		}, "push by the client: the tag seems to name an image of these layers"},
		{"two platforms", func(_ *testing.T, f *facts) { f.graphs = append(f.graphs, f.graphs[0]) }, "push by the daemon: the image has several platforms"},
		{"a layer of a branch", func(t *testing.T, f *facts) { f.graphs[0] = plannedAs(t, "branch", "", "files", "") },
			"push by the daemon: nobody can tell from outside what the layer branch is made of"},
		{"a layer of the project's own code, as it was", func(_ *testing.T, f *facts) {
			f.remote = believing("numpy", key)
			f.graphs[0] = sentAs(plannedAs(t, "own package", "", "files", ""), key, "")
		}, "push of the new layers: 1 of 2 layers beside the base's are to be made, the registry has the others"},
		{"a layer of the project's own code that was edited", func(_ *testing.T, f *facts) {
			f.remote = believing("numpy", key)
			f.graphs[0] = sentAs(plannedAs(t, "numpy", key, "own package", "", "files", ""), "", digest.FromString("edited").String(), "")
		}, "push of the new layers: 2 of 3 layers beside the base's are to be made, the registry has the others"},
		{"an image that anybody may have pushed", func(t *testing.T, f *facts) {
			f.remote.image = pushedAs(t, "zstd", "numpy", key, "old files", "")
		}, "push by the daemon: no record that is believed tells of layers"},
		{"a layer that the registry has lost", func(_ *testing.T, f *facts) {
			f.remote = believing("numpy", key)
			f.remote.layers = nil
		}, "push by the daemon: every layer is new"},
		{"a second try", func(t *testing.T, f *facts) {
			image(t, f)
			f.whole = true
		}, "push by the daemon: the image is built whole"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &facts{opts: with(Options{Outputs: slices.Clone(pushed)}, "registry.example/a:1"), graphs: []Graph{plannedAs(t, "numpy", key, "files", "")}}
			test.change(t, f)
			if got := Decide(f.opts, &f.remote, f.graphs, How{Whole: f.whole}).Expected.String(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestRoute: what is left to do once the digest is known, and what is tried where a way fails.
func TestRoute(t *testing.T) {
	manifest := func(size int64) []byte {
		data, err := json.Marshal(ocispecs.Manifest{Layers: []ocispecs.Descriptor{{Digest: "sha256:there", Size: 1 << 30}, {Digest: "sha256:new", Size: size}}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	little, much := manifest(maxLittle), manifest(maxLittle+1)
	remote := &RemoteState{digest: "sha256:tag", layers: map[digest.Digest]bool{"sha256:there": true}}
	plan := func(k Kind, r *reuse) Plan { return Plan{Expected: Route{k, "planned"}, reuse: r} }
	onBase, newBase := &reuse{base: []layerRef{{}}}, &reuse{}
	for _, test := range []struct {
		name     string
		plan     Plan
		image    digest.Digest
		manifest []byte
		want     []Kind // the first, and those that follow where it fails
		why      string
	}{
		{"no push", plan(NotPushed, nil), "", nil, []Kind{NotPushed}, "planned"},
		{"the exporter pushed", plan(DaemonPush, nil), "sha256:tag", little, []Kind{DaemonPush}, "planned"},
		{"the same image", plan(PartPush, onBase), "sha256:tag", nil, []Kind{Nothing}, "the tag names this image already"},
		{"little", plan(PartPush, onBase), "sha256:x", little, []Kind{ClientPush, PartPush, DaemonPush}, "2 blobs are new, with 4.2 MB of layers"},
		{"much", plan(PartPush, onBase), "sha256:x", much, []Kind{PartPush, DaemonPush}, "4.2 MB of layers are new"},
		{"a new base", plan(PartPush, newBase), "sha256:x", little, []Kind{PartPush, DaemonPush}, "the base is new"},
		{"little of a whole image", plan(ClientPush, nil), "sha256:x", little, []Kind{ClientPush, DaemonPush}, "2 blobs are new, with 4.2 MB of layers"},
		{"much of a whole image", plan(ClientPush, nil), "sha256:x", much, []Kind{DaemonPush}, "4.2 MB of layers are new"},
		{"no manifest", plan(ClientPush, nil), "sha256:x", nil, []Kind{DaemonPush}, "the exported manifest cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			route := test.plan.Route(test.image, test.manifest, remote)
			if route.Why != test.why {
				t.Errorf("why: %q, want %q", route.Why, test.why)
			}
			got := []Kind{route.Kind}
			for ; route.Kind == ClientPush || route.Kind == PartPush; got = append(got, route.Kind) {
				route = test.plan.next(route, errors.New("x"))
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
