package llb

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles"
)

// TestWheelLayersDependOnNothingElse is the property that the whole design rests on: the step that unpacks a wheel is the same
// operation for every image, so a daemon never repeats it and a registry stores its layer once.
func TestWheelLayersDependOnNothingElse(t *testing.T) {
	want := compiled(t, nil).wheelSteps()
	if len(want) != 10 {
		t.Fatalf("%d layers of wheels, want 10: %v", len(want), slices.Sorted(maps.Keys(want)))
	}
	for name, change := range map[string]func(*profiles.Recipe, *Inputs){
		"base":        func(_ *profiles.Recipe, in *Inputs) { in.Base = base(otherRef, 7) },
		"interpreter": func(r *profiles.Recipe, _ *Inputs) { r.Base.Interpreter = "/usr/bin/python3.11" },
		"app":         func(r *profiles.Recipe, _ *Inputs) { r.App.Copy, r.App.Ignore = r.App.Copy[:1], nil },
		"no app":      func(r *profiles.Recipe, _ *Inputs) { r.App = profiles.App{Workdir: "/srv"} },
		"user":        func(r *profiles.Recipe, _ *Inputs) { r.User = profiles.User{Name: "me", UID: 7, GID: 8, Home: "/h"} },
		"root":        func(r *profiles.Recipe, _ *Inputs) { r.User = profiles.User{} },
		"profile":     func(r *profiles.Recipe, _ *Inputs) { r.Profile, r.Name, r.Accelerator.Kind = "gpu", "other", "cuda" },
		"tags":        func(r *profiles.Recipe, _ *Inputs) { r.Image, r.Suffix = "registry.example/x", "-gpu" },
		"platform":    func(r *profiles.Recipe, _ *Inputs) { r.Platform = "linux/arm64" },
		"system":      func(r *profiles.Recipe, _ *Inputs) { r.System = nil },
		"network": func(_ *profiles.Recipe, in *Inputs) {
			in.Network = Network{CA: true, Proxy: Proxy{All: "http://p.example"}}
		},
		"no cache":      func(_ *profiles.Recipe, in *Inputs) { in.NoCache = AllStages },
		"epoch":         func(_ *profiles.Recipe, in *Inputs) { in.Epoch = in.Epoch.AddDate(9, 0, 0) },
		"refusal rules": func(r *profiles.Recipe, _ *Inputs) { r.Requires.Allow = []string{"tensorflow"} },
		"rename":        func(r *profiles.Recipe, _ *Inputs) { r.Requires.Rename = map[string]string{"torch": "torch-cpu"} },
		"order":         func(_ *profiles.Recipe, in *Inputs) { slices.Reverse(in.Wheels) },
	} {
		t.Run(name, func(t *testing.T) {
			got := compiled(t, change).wheelSteps()
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("digests of the wheel layers (-before +after):\n%s", d)
			}
		})
	}
}

// TestOneWheelTouchesOneLayer: adding, removing or bumping a wheel leaves every other layer as it is.
func TestOneWheelTouchesOneLayer(t *testing.T) {
	before := compiled(t, nil).wheelSteps()
	for _, c := range []struct {
		name   string
		change func(*profiles.Recipe, *Inputs)
		gone   []string
		fresh  []string
	}{
		{"add a large one", func(_ *profiles.Recipe, in *Inputs) { in.Wheels = append(in.Wheels, aWheel("scipy", 33_000_000)) },
			nil, []string{"scipy 1.2.3"}},
		{"add a small one to a bin", func(_ *profiles.Recipe, in *Inputs) { in.Wheels = append(in.Wheels, aWheel("certifi", 160_000)) },
			[]string{"1 small wheel (bin 2)"}, []string{"2 small wheels (bin 2)"}},
		{"remove a large one", func(_ *profiles.Recipe, in *Inputs) { in.Wheels = slices.Delete(in.Wheels, 2, 3) },
			[]string{"numpy 1.2.3"}, nil},
		{"bump one", func(_ *profiles.Recipe, in *Inputs) {
			w := aWheel("numpy", 16_900_000)
			w.Version, w.SHA256 = "1.2.4", sum("numpy 1.2.4")
			in.Wheels[2] = w
		}, []string{"numpy 1.2.3"}, []string{"numpy 1.2.4"}},
		{"other bytes", func(_ *profiles.Recipe, in *Inputs) { in.Wheels[2].SHA256 = sum("other") },
			[]string{"numpy 1.2.3"}, []string{"numpy 1.2.3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := compiled(t, c.change).wheelSteps()
			if d := cmp.Diff(c.gone, missingFrom(before, after)); d != "" {
				t.Errorf("layers that went (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.fresh, missingFrom(after, before)); d != "" {
				t.Errorf("layers that came (-want +got):\n%s", d)
			}
		})
	}
}

// missingFrom lists the layers of a whose name or digest is not in b.
func missingFrom(a, b map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if b[name] != a[name] {
			names = append(names, name)
		}
	}
	return names
}

// TestWheelLayersDependOn is what must make other layers: what the unpacked files really depend on.
func TestWheelLayersDependOn(t *testing.T) {
	before := compiled(t, nil).wheelSteps()
	for name, change := range map[string]func(*profiles.Recipe, *Inputs){
		"python": func(r *profiles.Recipe, _ *Inputs) { r.Python.Version = "3.12" },
		"helper": func(_ *profiles.Recipe, in *Inputs) { in.Helpers.Wheels = "sha256:" + sum("another helper") },
		"worker": func(_ *profiles.Recipe, in *Inputs) {
			in.Worker = ocispecs.Platform{OS: "linux", Architecture: "arm64"}
		},
		"allowed": func(r *profiles.Recipe, _ *Inputs) { r.Requires.Allow = []string{"x/y.pth"} },
	} {
		t.Run(name, func(t *testing.T) {
			after := compiled(t, change).wheelSteps()
			if len(after) != len(before) {
				t.Fatalf("%d layers, want %d", len(after), len(before))
			}
			for layer, digest := range after {
				if before[layer] == digest {
					t.Errorf("%s is the same step as before", layer)
				}
			}
		})
	}
}

// TestHelperIsContent: the step's root is the helper by its digest, so that its cache key is the file's bytes. A session in it would be in
// the key of every layer.
func TestHelperIsContent(t *testing.T) {
	g := compiled(t, func(_ *profiles.Recipe, in *Inputs) { in.Session.ID = "session-1" })
	root := g.named("send the unpacker")
	if got, want := root.op.GetSource().Identifier, "oci-layout+blob://docker.io/"+HelperStore+"@sha256:"+sum("helper"); got != want {
		t.Errorf("the helper is %s, want %s", got, want)
	}
	want := map[string]string{pb.AttrHTTPFilename: HelperFile, pb.AttrHTTPPerm: "0755", pb.AttrOCILayoutStoreID: HelperStore}
	if d := cmp.Diff(want, root.attrs()); d != "" {
		t.Errorf("attributes of the helper (-want +got):\n%s", d)
	}
}
