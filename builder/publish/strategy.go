package publish

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/counts"
)

// A push by the daemon asks the registry for every layer, even where the tag names the very image already. The digest is known only after the export, and whether to
// push is said before it. So it is decided twice, from values alone: before the export whether the exporter pushes (Decide), and where it does not, once the digest
// is known, what is left to do (Plan.Route). A wrong guess costs a second, cached export, never a wrong tag.

// Kind is a way for an image to get to its registry.
type Kind int

// The ways, from the least work to the most.
const (
	NotPushed  Kind = iota // no output goes to a registry
	Nothing                // the tag names the image already
	ClientPush             // the client sends the few bytes that are new
	PartPush               // the daemon pushes the layers that were made, the client what else belongs to the image
	DaemonPush             // the daemon pushes the image
)

var kindNames = [...]string{"no push", "nothing to push", "push by the client", "push of the new layers", "push by the daemon"}

// String names the way for people.
func (k Kind) String() string { return kindNames[k] }

// Route is how an image gets to its registry, and why that way.
type Route struct {
	Kind Kind
	Why  string
}

// String is the route in one line.
func (r Route) String() string { return r.Kind.String() + ": " + r.Why }

// Plan is what is decided before the export. A DaemonPush that is expected is the exporter's; a PartPush or ClientPush
// is the most that is to be done, which is decided once the digest is known.
type Plan struct {
	Expected Route
	late     bool   // a DaemonPush too comes after the export
	reuse    *reuse // what is taken from the registry's image; nil = the whole image is exported
}

// Whole reports whether the daemon exports the image itself, not only the layers that are new.
func (p Plan) Whole() bool { return p.reuse == nil }

// Here returns the image that the tag names where nothing is left to be made or pushed, nil where there is.
func (p Plan) Here() *Exported {
	if p.reuse == nil {
		return nil
	}
	return p.reuse.here
}

// How is what an earlier try has shown.
type How struct {
	Whole bool // no layer is to be taken from the registry
	Late  bool // the daemon is to push after the export, not in it, so that the image is known where the push fails
}

// Decide decides what the daemon exports of an image, and whether the exporter pushes it.
func Decide(o Options, remote *RemoteState, graphs []Graph, how How) Plan {
	if !o.Pushes() {
		return Plan{Expected: Route{NotPushed, "no output goes to a registry"}}
	}
	var why error
	if !how.Whole {
		r, err := reusable(o, remote, graphs)
		if err == nil {
			n := len(r.layers)
			return Plan{Expected: Route{PartPush, fmt.Sprintf("%d of %d layers beside the base's are to be made, the registry has the others", len(r.made), n)}, reuse: r}
		}
		why = err
	}
	switch {
	case looksAlike(remote, graphs):
		return Plan{Expected: Route{ClientPush, "the tag seems to name an image of these layers"}}
	case why != nil:
		return Plan{Expected: Route{DaemonPush, why.Error()}, late: how.Late}
	}
	return Plan{Expected: Route{DaemonPush, "the image is built whole"}, late: how.Late}
}

// deferred reports whether the exporter does not push, so that it is decided after the export who does.
func (p Plan) deferred() bool {
	return p.late && p.Expected.Kind == DaemonPush || p.Expected.Kind == PartPush || p.Expected.Kind == ClientPush
}

// Route decides how an exported image gets to its registry. The manifest is nil where it cannot be read.
func (p Plan) Route(image digest.Digest, manifest []byte, remote *RemoteState) Route {
	if !p.deferred() {
		return p.Expected
	}
	if image.String() == remote.digest && len(remote.lost) == 0 {
		return Route{Nothing, "the tag names this image already"}
	}
	if p.Expected.Kind == DaemonPush {
		return p.Expected
	}
	missing, size, err := missingBlobs(manifest, remote.layers)
	why := fmt.Sprintf("%s of layers are new", counts.Bytes(size))
	switch {
	case err != nil:
		why = "the exported manifest cannot be read"
	case size <= maxLittle && (p.reuse == nil || p.reuse.base != nil):
		return Route{ClientPush, fmt.Sprintf("%d blobs are new, with %s of layers", len(missing), counts.Bytes(size))}
	case size <= maxLittle:
		why = "the base is new"
	}
	if p.reuse != nil {
		return Route{PartPush, why}
	}
	return Route{DaemonPush, why}
}

// next returns the route to take where one failed. After a DaemonPush there is none.
func (p Plan) next(failed Route, err error) Route {
	why := fmt.Sprintf("the %s failed: %v", failed.Kind, err)
	if failed.Kind == ClientPush && p.reuse != nil {
		return Route{PartPush, why}
	}
	return Route{DaemonPush, why}
}

// looksAlike reports whether the tag seems to name an image of the same layers as the one that is about to be exported, save for what is in the
// project's own files. It is for images of which no layer can be taken, such as gzip ones and those with further outputs: pushing one that is there already costs a
// question for each layer.
func looksAlike(remote *RemoteState, graphs []Graph) bool {
	return len(graphs) == 1 && sameLayers(remote.image.config, graphs[0].Config, graphs[0].Base)
}

// sameLayers compares an image's config with a compiled one, which knows only the base's layers: the others go by their history.
func sameLayers(pushed, compiled []byte, base []digest.Digest) bool {
	var there, here struct {
		RootFS  ocispecs.RootFS    `json:"rootfs"`
		History []ocispecs.History `json:"history"`
	}
	if json.Unmarshal(pushed, &there) != nil || json.Unmarshal(compiled, &here) != nil {
		return false
	}
	diffs := there.RootFS.DiffIDs
	return len(diffs) >= len(base) && slices.Equal(diffs[:len(base)], base) && slices.EqualFunc(there.History, here.History, sameStep)
}

// sameStep compares entries of a history but for their times: the exporter lowers those that lie behind the image's own.
func sameStep(a, b ocispecs.History) bool {
	a.Created, b.Created = nil, nil
	return a == b
}
