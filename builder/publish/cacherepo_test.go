package publish

import (
	"slices"
	"strings"
	"testing"
)

// TestCacheRepository: the caches of two images lie side by side in another repository, and so do those of stages; records stay beside the image.
func TestCacheRepository(t *testing.T) {
	const caches = "registry.example.com/team/caches"
	seen := map[string]bool{}
	for _, tag := range []string{"registry.example.com/team/app:1", "registry.example.com/team-app/app:1", "other.example.com/team/app:1"} {
		o := Options{Profile: "gpu", Tags: []string{tag}, Target: "dev", CacheRepository: caches}
		own := o.OwnCaches()
		for _, ref := range own {
			if !strings.HasPrefix(ref, caches+":buildcache-app-") || seen[ref] {
				t.Errorf("%s: %q", tag, own)
			}
			seen[ref] = true
		}
		if own[0] != own[1]+"-dev" || !strings.HasSuffix(own[1], "-gpu") {
			t.Errorf("%s: %q", tag, own)
		}
		if got := o.CacheTargets()[0].Attrs["ref"]; got != own[0] {
			t.Errorf("written is %s, want %s", got, own[0])
		}
		beside := Options{Profile: "gpu", Tags: []string{tag}, Target: "dev"}
		if got := cachesBeside(o.repository(), o.Profile, o.Target); !slices.Equal(got, beside.OwnCaches()) {
			t.Errorf("beside %s are %q", tag, got)
		}
	}
	o := Options{Profile: "cpu", Tags: []string{"registry.example.com/" + strings.Repeat("a", 100) + ":1"}, CacheRepository: caches}
	if tag := strings.TrimPrefix(o.OwnCaches()[0], caches+":"); len(tag) > 128 {
		t.Errorf("a tag of %d characters: %s", len(tag), tag)
	}
}
