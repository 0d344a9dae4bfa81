package publish

import (
	"maps"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Cache is a cache that BuildKit reads or writes, with its own type and attributes.
type Cache struct {
	Type  string
	Attrs map[string]string
}

// registryCache is the type of a cache in a registry.
const registryCache = "registry"

// ownTag begins the tags beside an image that hold its caches and the records of its layers.
const ownTag = "buildcache-"

// CheckNames refuses tags under which caches lie: a fault.Ref for a tag of mlbuild's own, and for one that --cache-to names too.
func (o Options) CheckNames() error {
	var faults fault.List
	for _, t := range o.Tags {
		if strings.HasPrefix(registry.Tag(t), ownTag) {
			faults = append(faults, fault.New(fault.Ref, "the tag %s is kept for the caches that mlbuild writes beside its images", t).Hint("choose one that does not begin with %s", ownTag))
		}
		for _, c := range o.CacheTo {
			if c.Type == registryCache && registry.Full(c.Attrs["ref"]) == registry.Full(t) {
				faults = append(faults, fault.New(fault.Ref, "%s would be the image and the cache of --cache-to", t).Hint("give the cache a tag of its own"))
			}
		}
	}
	return faults.Err()
}

// OwnCaches returns where a profile's cache lives, beside its image or in the repository of caches. A target other than the runtime writes one of its own, the first, and reads the
// runtime's too: they share the packages.
func (o Options) OwnCaches() []string {
	if o.CacheRepository == "" {
		return cachesBeside(o.repository(), o.Profile, o.Target)
	}
	return withTarget(o.CacheRepository+":"+ownTag+imageMark(o.repository())+"-"+o.Profile, o.Target)
}

// cachesBeside returns the names of a profile's caches beside its image. Records of layers have them whatever holds the caches: they name blobs of the image.
func cachesBeside(repository, profile, target string) []string {
	return withTarget(repository+":"+ownTag+profile, target)
}

// imageMark names an image in tags of another repository: by the last part of its repository, for people, and by a hash of the whole.
func imageMark(repository string) string {
	last := repository[strings.LastIndex(repository, "/")+1:]
	return last[:min(len(last), maxMark)] + "-" + digest.FromString(repository).Encoded()[:8]
}

// maxMark bounds the name of an image in a tag, in characters; a tag has 128.
const maxMark = 40

// withTarget returns a cache's name with that of the target before it.
func withTarget(runtime, target string) []string {
	if target == "" || target == "runtime" {
		return []string{runtime}
	}
	return []string{runtime + "-" + target, runtime}
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
	if len(o.Insecure()) > 0 && registry.Host(o.OwnCaches()[0]) == registry.Host(o.repository()) {
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
