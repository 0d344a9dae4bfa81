package publish

import (
	"io"
	"maps"
	"strings"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Type is a kind of output: a row of kinds.
type Type string

// The kinds of outputs.
const (
	Image  Type = "image"  // kept by the daemon, or pushed
	OCI    Type = "oci"    // an archive of the OCI image layout
	Docker Type = "docker" // the archive that "docker load" reads
	Local  Type = "local"  // the root file system in a directory
	Tar    Type = "tar"    // the root file system as an archive
)

// Place is where the outputs of a kind are written.
type Place int

// The places.
const (
	Nowhere   Place = iota // there is no such kind
	Registry               // the daemon keeps the image, and pushes it if that is wanted
	File                   // an archive
	Directory              // a tree of files that the client unpacks
)

// kind says what an output of a type needs.
type kind struct {
	name        Type
	place       Place
	exporter    string            // BuildKit's
	layers      bool              // it has an image's layers and config; else the files alone
	onePlatform bool              // it has room for one platform
	attrs       map[string]string // further ones of the exporter
}

// kinds are the outputs that there are. A new one is a row here, and a name in the command line's table.
var kinds = []kind{
	{name: Image, place: Registry, exporter: "image", layers: true},
	{name: OCI, place: File, exporter: "oci", layers: true},
	{name: Docker, place: File, exporter: "docker", layers: true, onePlatform: true, attrs: map[string]string{"oci-mediatypes": "false"}},
	{name: Local, place: Directory, exporter: "tar"}, // not BuildKit's own: see unpacker
	{name: Tar, place: File, exporter: "tar"},
}

// kind returns the row of a type; the zero value has no place.
func (t Type) kind() kind {
	for _, k := range kinds {
		if k.name == t {
			return k
		}
	}
	return kind{}
}

// Place returns where outputs of the type are written.
func (t Type) Place() Place { return t.kind().place }

// OnePlatform reports whether an output of the type holds the image of one platform alone.
func (t Type) OnePlatform() bool { return t.kind().onePlatform }

// names lists the types for people.
func names() string {
	all := make([]string, len(kinds))
	for i, k := range kinds {
		all[i] = string(k.name)
	}
	return strings.Join(all, ", ")
}

// Output is one place a result goes to.
type Output struct {
	Type  Type
	Attrs map[string]string // of BuildKit's exporter
	Dir   string            // the directory to fill; {profile} stands for the profile's name
	// Open opens the file of an archive, called once the result is ready.
	Open func(profile string) (io.WriteCloser, error)
	Push bool // send the image to the registry
}

// Pushes reports whether the output goes to a registry.
func (o Output) Pushes() bool { return o.Type.Place() == Registry && o.Push }

// Directory returns the directory that the output fills for a profile.
func (o Output) Directory(profile string) string {
	return strings.ReplaceAll(o.Dir, "{profile}", profile)
}

// runtimeName is the name of a pushed image by which the exporter learns from the result where to push, see nameKey.
const runtimeName = "*"

// Entries returns BuildKit's exporters for the outputs. Errors: fault.Usage for a type that there is not, fault.Spec for a push without a tag.
func (o Options) Entries() ([]bkclient.ExportEntry, error) {
	var all []bkclient.ExportEntry
	for _, out := range o.Outputs {
		if o.OnlyTests() || o.Target == stageTesting && out.Type.Place() == Directory { // the reports go there
			continue
		}
		e, err := o.entry(out)
		if err != nil {
			return nil, err
		}
		all = append(all, o.Written.watching(e))
	}
	return all, nil
}

func (o Options) entry(out Output) (bkclient.ExportEntry, error) {
	k := out.Type.kind()
	e := bkclient.ExportEntry{Type: k.exporter, Attrs: o.epochAttrs()}
	if k.layers {
		e.Attrs = o.imageAttrs()
	}
	maps.Copy(e.Attrs, k.attrs)
	switch {
	case k.place == Nowhere:
		return e, fault.New(fault.Usage, "unknown output type %q", out.Type).Hint("the types are: %s", names())
	case out.Pushes() && len(o.Tags) == 0:
		return e, fault.New(fault.Spec, "profile %s is to be pushed, but has no tag", o.Profile).
			Hint("add --tag registry/name:tag, or image: to mlbuild.yaml and a bare --tag")
	case out.Pushes():
		e = o.pushEntry(runtimeName)
	case k.place == File:
		if k.layers && len(o.Tags) > 0 {
			e.Attrs["name"] = strings.Join(o.Tags, ",")
		}
		e.Output = func(map[string]string) (io.WriteCloser, error) { return out.Open(o.Profile) }
	case k.place == Directory:
		e.Output = func(map[string]string) (io.WriteCloser, error) { return Unpack(out.Directory(o.Profile)) }
	}
	maps.Copy(e.Attrs, out.Attrs)
	if codec := out.Attrs["compression"]; codec != "" && codec != zstd && out.Attrs["force-compression"] == "" {
		e.Attrs["force-compression"] = "true"
	}
	return e, nil
}

// pushEntry is the exporter that pushes the image under one name.
func (o Options) pushEntry(tag string) bkclient.ExportEntry {
	attrs := o.imageAttrs()
	attrs["name"], attrs["push"] = tag, "true"
	for _, out := range o.Outputs {
		if out.Type.Place() == Registry {
			maps.Copy(attrs, out.Attrs)
		}
	}
	return bkclient.ExportEntry{Type: Image.kind().exporter, Attrs: attrs}
}
