package publish

import (
	"maps"
	"slices"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

// Cache is a cache that BuildKit reads or writes, with its own type and attributes.
type Cache struct {
	Type  string
	Attrs map[string]string
}

// registryCache is the type of a cache in a registry.
const registryCache = "registry"

// OwnCaches returns where a profile's cache lives, beside its image. A target other than the runtime writes one of its own, the first, and reads the
// runtime's too: they share the packages.
func (o Options) OwnCaches() []string {
	runtime := o.repository() + ":buildcache-" + o.Profile
	if o.Target == "" || o.Target == "runtime" {
		return []string{runtime}
	}
	return []string{runtime + "-" + o.Target, runtime}
}

// withOwn returns the caches to read: what the user names, and own ones.
func (o Options) withOwn(own []string) []Cache {
	all := slices.Clone(o.CacheFrom)
	for _, ref := range own {
		all = append(all, Cache{Type: registryCache, Attrs: o.reached(map[string]string{"ref": ref})})
	}
	return all
}

// CacheTargets returns the caches to write. The profile's own holds zstd layers whatever the image's codec: a daemon keeps what it imports, and
// hands it to every later export.
func (o Options) CacheTargets() []Cache {
	if len(o.CacheTo) > 0 {
		return inZstd(o.CacheTo)
	}
	if o.NoOwnCache {
		return nil
	}
	return []Cache{{Type: registryCache, Attrs: o.reached(map[string]string{
		"ref": o.OwnCaches()[0], "mode": "min", "oci-mediatypes": "true", "image-manifest": "true", "compression": zstd,
	})}}
}

// reached adds to the attributes of an own cache how the daemon reaches its registry, which is the image's.
func (o Options) reached(attrs map[string]string) map[string]string {
	if len(o.Insecure()) > 0 {
		attrs[insecureAttr] = "true"
	}
	return attrs
}

// inZstd gives the caches whose codec can be chosen the images' own, where the user names none.
func inZstd(caches []Cache) []Cache {
	var all []Cache
	for _, c := range caches {
		if c.Attrs["compression"] == "" && (c.Type == registryCache || c.Type == "local") {
			attrs := map[string]string{"compression": zstd}
			maps.Copy(attrs, c.Attrs)
			c.Attrs = attrs
		}
		all = append(all, c)
	}
	return all
}

// ClientCaches returns caches as the daemon's client takes them.
func ClientCaches(caches []Cache) []bkclient.CacheOptionsEntry {
	var all []bkclient.CacheOptionsEntry
	for _, c := range caches {
		all = append(all, bkclient.CacheOptionsEntry{Type: c.Type, Attrs: maps.Clone(c.Attrs)})
	}
	return all
}

// gatewayCaches returns caches as a request to solve takes them.
func gatewayCaches(caches []Cache) []gateway.CacheOptionsEntry {
	var all []gateway.CacheOptionsEntry
	for _, c := range caches {
		all = append(all, gateway.CacheOptionsEntry{Type: c.Type, Attrs: maps.Clone(c.Attrs)})
	}
	return all
}
