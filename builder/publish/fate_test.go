package publish

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// history is a config with a base's layer and layers of mlbuild: each a kind, a name and a key.
func history(t *testing.T, layers ...[3]string) []byte {
	t.Helper()
	config := ocispecs.Image{History: []ocispecs.History{{CreatedBy: "debian"}}}
	for _, l := range layers {
		config.History = append(config.History, ocispecs.History{CreatedBy: "mlbuild " + l[0] + ": " + l[1], Comment: l[2]})
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFates: a layer is reused, or differs from what the image under the tag has in its place.
func TestFates(t *testing.T) {
	plan := &layerplan.Plan{BaseLayers: 1, Layers: []layerplan.Layer{
		{Kind: layerplan.KindWheels, Name: "scipy 1.17.1"}, {Kind: layerplan.KindWheels, Name: "numpy 2.4.6"}, {Kind: layerplan.KindWheels, Name: "4 small wheels (bin 2)", Bin: 2},
		{Kind: layerplan.KindWheels, Name: "pandas 3.1.1"}, {Kind: layerplan.KindWheels, Name: "torch 2.9.1 (part 1 of 2)"}, {Kind: layerplan.KindSystem, Name: "libgomp1 12"}, {Kind: layerplan.KindApp, Name: "the project's files"},
	}}
	var now [][3]string
	for _, l := range plan.Layers {
		now = append(now, [3]string{string(l.Kind), l.Name, digest.FromString(l.Name).String()})
	}
	g := Graph{Graph: &llb.Graph{Config: history(t, now...), Plan: plan}}
	before := history(t, [3]string{"wheels", "scipy 1.17.1", now[0][2]}, [3]string{"wheels", "numpy 2.4.5", "old"}, [3]string{"wheels", "4 small wheels (bin 2)", "old"}, [3]string{"wheels", "pandas 3.1.1", "old"},
		[3]string{"wheels", "torch 2.9.0", "old"}, [3]string{"app", "the project's files", ""})
	d := Decided{Graphs: []Graph{g}, Remote: &RemoteState{image: remoteImage{config: before}}, Plan: Plan{reuse: &reuse{layers: make([]layerRef, len(plan.Layers))}}}
	d.Plan.reuse.layers[0].desc.Digest = "sha256:scipy"
	want := []Fate{
		{Reused: true, Why: "the registry has it, made from the same"}, {Why: "the earlier image has numpy 2.4.5"}, {Why: "one of the small ones in it changed, came or went"},
		{Why: "it is made from something else than before: another Python, base or helper, or other inputs"}, {Why: "the earlier image has torch 2.9.0"},
		{Why: `the earlier image has no layer "system: libgomp1 12"`}, {Why: "files of the project changed"},
	}
	if diff := cmp.Diff(want, d.Fates()); diff != "" {
		t.Error(diff)
	}
	d.Plan.reuse = nil
	if got := d.Fates()[0]; got != (Fate{Why: "the earlier image has it too"}) {
		t.Errorf("a layer that nobody took is %+v", got)
	}
	for name, remote := range map[string]*RemoteState{"nobody looked": nil, "no image": {}, "another's image": {image: remoteImage{config: history(t)}}} {
		d.Remote = remote
		if got := d.Fates()[6]; got != (Fate{Why: "neither an earlier image nor the daemon has it"}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := (Decided{}).Fates(); got != nil {
		t.Errorf("an image that was not compiled has %+v", got)
	}
}
