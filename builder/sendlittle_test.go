package builder

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

	got, err := missingBlobs(manifest(torch, app, app), there, nil)
	if err != nil || len(got) != 2 || got[0].Digest != digest.FromString("config") || got[1].Digest != app.Digest {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := missingBlobs(manifest(torch, large), there, nil); err != nil || len(got) != 2 {
		t.Errorf("%d bytes: %v, %v", maxLittle, got, err)
	}
	if _, err := missingBlobs(manifest(app, large), there, nil); err == nil || !strings.Contains(err.Error(), "4194404 bytes") {
		t.Errorf("more than is little: %v", err)
	}
	if got, err := missingBlobs(manifest(app, large), there, map[digest.Digest]bool{large.Digest: true}); err != nil || len(got) != 2 || got[1].Digest != app.Digest {
		t.Errorf("after the daemon brought the large one: %v, %v", got, err)
	}
	if _, err := missingBlobs([]byte("<html>"), there, nil); err == nil {
		t.Error("no manifest is taken for one")
	}
}
