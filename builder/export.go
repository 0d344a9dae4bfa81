package builder

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// exports turns the request's outputs into BuildKit's exporters for one variant.
func (b *build) exports(v Variant) ([]bkclient.ExportEntry, error) {
	var all []bkclient.ExportEntry
	for _, o := range b.req.Outputs {
		if b.onlyTests() || b.req.Target == "testing" && o.Type == "local" { // the reports go there
			continue
		}
		e, err := b.exportEntry(o, v)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (b *build) exportEntry(o Output, v Variant) (bkclient.ExportEntry, error) {
	e := bkclient.ExportEntry{Type: o.Type, Attrs: b.imageAttrs(v)}
	switch o.Type {
	case "image":
		if !o.Push {
			break
		}
		if len(v.Tags) == 0 {
			return e, errNoTag(v)
		}
		e = b.pushEntryFor(v, runtimeName)
	case "oci", "docker":
		if len(v.Tags) > 0 {
			e.Attrs["name"] = strings.Join(v.Tags, ",")
		}
		if o.Type == "docker" {
			e.Attrs["oci-mediatypes"] = "false"
		}
		e.Output = opener(o, v.Profile)
	case "tar":
		e.Attrs, e.Output = b.epochAttrs(), opener(o, v.Profile)
	case "local":
		dir := strings.ReplaceAll(o.Dir, "{profile}", v.Profile)
		e.Type, e.Attrs = "tar", b.epochAttrs()
		e.Output = func(map[string]string) (io.WriteCloser, error) { return unpackInto(dir) }
	default:
		return e, fault.New(fault.Usage, "unknown output type %q", o.Type).Hint("the types are: image, oci, docker, local, tar")
	}
	maps.Copy(e.Attrs, o.Attrs)
	if codec := o.Attrs["compression"]; codec != "" && codec != "zstd" && o.Attrs["force-compression"] == "" {
		e.Attrs["force-compression"] = "true"
	}
	return e, nil
}

func opener(o Output, profile string) func(map[string]string) (io.WriteCloser, error) {
	return func(map[string]string) (io.WriteCloser, error) { return o.Open(profile) }
}

// pushEntry is the exporter that pushes the image under one name.
func (m *making) pushEntry(tag string) bkclient.ExportEntry { return m.pushEntryFor(m.v, tag) }

func (b *build) pushEntryFor(v Variant, tag string) bkclient.ExportEntry {
	attrs := b.imageAttrs(v)
	attrs["name"], attrs["push"] = tag, "true"
	for _, o := range b.req.Outputs {
		if o.Type == "image" {
			maps.Copy(attrs, o.Attrs)
		}
	}
	return bkclient.ExportEntry{Type: "image", Attrs: attrs}
}

// imageAttrs are the attributes that every image of the variant gets, whichever way it goes out.
func (b *build) imageAttrs(v Variant) map[string]string {
	attrs := b.epochAttrs()
	maps.Copy(attrs, b.compression())
	attrs["oci-mediatypes"] = "true"
	for _, a := range v.Recipes[0].App.Annotations {
		attrs["annotation."+a.Name] = a.Value
	}
	return attrs
}

func (b *build) epochAttrs() map[string]string {
	return map[string]string{"source-date-epoch": strconv.FormatInt(b.req.Epoch.Unix(), 10)}
}

// compression names the codec. A blob that exists keeps its codec, so going back to gzip has to be forced; zstd is not, because that would
// recompress the base.
func (b *build) compression() map[string]string {
	codec := cmp.Or(b.req.Compression, recipe.Zstd)
	attrs := map[string]string{"compression": string(codec)}
	if codec != recipe.Zstd {
		attrs["force-compression"] = "true"
	}
	return attrs
}

// otherCodec tells whether an output wants other blobs than the zstd ones.
func otherCodec(outputs []bkclient.ExportEntry) bool {
	return slices.ContainsFunc(outputs, func(e bkclient.ExportEntry) bool {
		codec, ok := e.Attrs["compression"]
		return ok && codec != "zstd"
	})
}

// firstBlobs is an exporter that makes the zstd blobs and sends them nowhere.
func (b *build) firstBlobs() bkclient.ExportEntry {
	attrs := b.epochAttrs()
	attrs["compression"], attrs["oci-mediatypes"] = "zstd", "true"
	return bkclient.ExportEntry{Type: "image", Attrs: attrs}
}

// ownCaches are where a profile's cache lives, beside its image. A target other than the runtime writes one of its own, the first, and reads the
// runtime's too: they share the packages.
func ownCaches(req Request, v Variant) []string {
	runtime := registry.Repository(v.Tags[0]) + ":buildcache-" + v.Profile
	if req.Target == "" || req.Target == "runtime" {
		return []string{runtime}
	}
	return []string{runtime + "-" + req.Target, runtime}
}

// imports lists the caches that the variant reads: its own, those that are there, and what the user names.
func (m *making) imports() []Cache {
	all := slices.Clone(m.req.CacheFrom)
	own := m.before.caches
	if m.before.unknown && m.pushes(m.v) && !m.req.NoOwnCache {
		own = ownCaches(m.req, m.v)
	}
	if len(own) == 0 || m.holds() {
		return all
	}
	for _, ref := range own {
		all = append(all, Cache{Type: "registry", Attrs: map[string]string{"ref": ref}})
	}
	return all
}

// cacheTargets lists the caches that the variant writes. Its own holds zstd layers whatever the image's codec: a daemon keeps what it imports, and
// gives it to every later export.
func (m *making) cacheTargets() []Cache {
	if len(m.req.CacheTo) > 0 {
		return inZstd(m.req.CacheTo)
	}
	if m.req.NoOwnCache {
		return nil
	}
	return []Cache{{Type: "registry", Attrs: map[string]string{
		"ref": ownCaches(m.req, m.v)[0], "mode": "min", "ignore-error": "true", "oci-mediatypes": "true", "image-manifest": "true", "compression": "zstd",
	}}}
}

// inZstd gives the caches whose codec can be chosen the images' own, where the user names none.
func inZstd(caches []Cache) []Cache {
	var all []Cache
	for _, c := range caches {
		if c.Attrs["compression"] == "" && (c.Type == "registry" || c.Type == "local") {
			attrs := map[string]string{"compression": "zstd"}
			maps.Copy(attrs, c.Attrs)
			c.Attrs = attrs
		}
		all = append(all, c)
	}
	return all
}

func clientCaches(caches []Cache) []bkclient.CacheOptionsEntry {
	var all []bkclient.CacheOptionsEntry
	for _, c := range caches {
		all = append(all, bkclient.CacheOptionsEntry{Type: c.Type, Attrs: maps.Clone(c.Attrs)})
	}
	return all
}

func gatewayCaches(caches []Cache) []gateway.CacheOptionsEntry {
	var all []gateway.CacheOptionsEntry
	for _, c := range caches {
		all = append(all, gateway.CacheOptionsEntry{Type: c.Type, Attrs: maps.Clone(c.Attrs)})
	}
	return all
}
