package publish

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Options are what is wanted of one profile's image.
type Options struct {
	Profile     string
	Tags        []string // full references; the first is pushed and the others are put on it
	Target      string   // stage; "" = runtime
	Outputs     []Output
	Compression recipe.Compression // of the layers; "" = zstd
	Annotations []recipe.Pair
	Epoch       time.Time // the image's creation time
	CacheFrom   []Cache   // beside the profile's own cache
	CacheTo     []Cache   // in place of the profile's own cache
	// CacheRepository holds the profile's own caches, without a tag; "" = they are beside the image.
	CacheRepository string
	NoOwnCache      bool        // neither import nor export the cache beside the image
	Keys            []trust.Key // whose records of layers are believed; the first that signs writes one
	Again           bool        // some steps run again, whatever is known of their results
	Written         *Written    // notes what of the outputs cannot be written; nil = nothing does
}

// zstd is the codec of layers unless another is wanted.
const zstd = string(recipe.Zstd)

// stageTesting is the stage whose end is the tests' reports, not an image.
const stageTesting = string(recipe.StageTesting)

// Pushes reports whether the image goes to a registry.
func (o Options) Pushes() bool {
	return len(o.Tags) > 0 && slices.ContainsFunc(o.Outputs, Output.Pushes)
}

// OnlyTests reports whether the tests alone are wanted: no image of the testing stage goes anywhere.
func (o Options) OnlyTests() bool {
	return o.Target == stageTesting && !slices.ContainsFunc(o.Outputs, func(out Output) bool { return out.Type.Place() == File || out.Pushes() })
}

// repository is where the image is pushed.
func (o Options) repository() string { return registry.Repository(o.Tags[0]) }

// oneRepository reports whether every tag is in the first one's repository.
func (o Options) oneRepository() bool {
	return !slices.ContainsFunc(o.Tags, func(t string) bool { return registry.Repository(t) != o.repository() })
}

// usualLayers reports whether the layers are zstd, as the exporter makes them unless it is told more.
func (o Options) usualLayers() bool {
	return cmp.Or(o.Compression, recipe.Zstd) == recipe.Zstd && !slices.ContainsFunc(o.Outputs, Output.changesLayers)
}

// insecureAttr is BuildKit's attribute of an output or cache whose registry has no certificate that can be proved, or no https.
const insecureAttr = "registry.insecure"

// changesLayers reports whether the output has attributes that may make other layers.
func (o Output) changesLayers() bool {
	for name := range o.Attrs {
		if name != insecureAttr {
			return true
		}
	}
	return false
}

// Insecure lists the registries that the user said to be insecure: those of the tags, where the output says so.
func (o Options) Insecure() []string {
	if !slices.ContainsFunc(o.Outputs, Output.insecure) {
		return nil
	}
	var all []string
	for _, t := range o.Tags {
		all = append(all, registry.Host(t))
	}
	return all
}

func (o Output) insecure() bool {
	yes, err := strconv.ParseBool(o.Attrs[insecureAttr])
	return err == nil && yes && o.Type.Place() == Registry
}

// imageAttrs are the attributes that every image gets, whichever way it goes out.
func (o Options) imageAttrs() map[string]string {
	attrs := o.epochAttrs()
	maps.Copy(attrs, o.codecAttrs())
	attrs["oci-mediatypes"] = "true"
	for _, a := range o.Annotations {
		attrs["annotation."+a.Name] = a.Value
	}
	return attrs
}

func (o Options) epochAttrs() map[string]string {
	return map[string]string{"source-date-epoch": strconv.FormatInt(o.Epoch.Unix(), 10)}
}

// codecAttrs name the codec. A blob that exists keeps its codec, so going back to gzip has to be forced; zstd is not, because that would
// recompress the base.
func (o Options) codecAttrs() map[string]string {
	codec := cmp.Or(string(o.Compression), zstd)
	attrs := map[string]string{"compression": codec}
	if codec != zstd {
		attrs["force-compression"] = "true"
	}
	return attrs
}

// FirstBlobs returns an exporter that makes the zstd blobs and sends them nowhere.
func (o Options) FirstBlobs() bkclient.ExportEntry {
	attrs := o.epochAttrs()
	attrs["compression"], attrs["oci-mediatypes"] = zstd, "true"
	return bkclient.ExportEntry{Type: Image.kind().exporter, Attrs: attrs}
}

// OtherCodec reports whether an exporter wants other blobs than the zstd ones.
func OtherCodec(exports []bkclient.ExportEntry) bool {
	return slices.ContainsFunc(exports, func(e bkclient.ExportEntry) bool {
		codec, ok := e.Attrs["compression"]
		return ok && codec != zstd
	})
}
