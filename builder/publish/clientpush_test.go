package publish

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestMissingBlobs: the config and each new layer once; none of what is there, and not more than is little.
func TestMissingBlobs(t *testing.T) {
	desc := func(name string, size int64) ocispecs.Descriptor {
		return ocispecs.Descriptor{Digest: digest.FromString(name), Size: size}
	}
	manifest := func(layers ...ocispecs.Descriptor) []byte {
		data, err := json.Marshal(ocispecs.Manifest{Config: desc("config", 7), Layers: layers})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	there := map[digest.Digest]bool{digest.FromString("torch"): true}
	torch, app, large := desc("torch", 1<<30), desc("app", 100), desc("large", maxLittle)

	got, _, err := missingBlobs(manifest(torch, app, app), there)
	if err != nil || len(got) != 2 || got[0].Digest != digest.FromString("config") || got[1].Digest != app.Digest {
		t.Errorf("%v, %v", got, err)
	}
	if got, size, err := missingBlobs(manifest(torch, large), there); err != nil || len(got) != 2 || size > maxLittle {
		t.Errorf("%d bytes: %v, %v", maxLittle, got, err)
	}
	if _, size, err := missingBlobs(manifest(app, large), there); err != nil || size != 4194404 {
		t.Errorf("more than is little: %d bytes, %v", size, err)
	}
	p := publisher(with(Options{}, "registry.example/a:1"), nil)
	if err := p.clientPush(t.Context(), Made{Decided: Decided{Remote: &RemoteState{layers: there}}}, manifest(app, large), nil); err == nil || !strings.Contains(err.Error(), "4194404 bytes") {
		t.Errorf("more than is little: %v", err)
	}
	brought := (&RemoteState{layers: there}).with([]ocispecs.Descriptor{large})
	if got, _, err := missingBlobs(manifest(app, large), brought); err != nil || len(got) != 2 || got[1].Digest != app.Digest {
		t.Errorf("after the daemon brought the large one: %v, %v", got, err)
	}
	if _, _, err := missingBlobs([]byte("<html>"), there); err == nil {
		t.Error("no manifest is taken for one")
	}
}
