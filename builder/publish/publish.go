package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Run is what one run of the daemon exports of what its build function returns.
type Run struct {
	Exports   []bkclient.ExportEntry
	Caches    []Cache
	Platforms string // of the result, where the daemon is to expect others than its own
}

// Publisher brings one profile's image to its outputs. Nothing in it changes.
type Publisher struct {
	Options
	Registry *registry.Client
	Content  Store            // what the daemon holds
	Bases    content.Provider // manifests and configs of bases
	Run      func(context.Context, Run, gateway.BuildFunc) (*bkclient.SolveResponse, error)
	Records  *Records
	Locks    *RepoLocks
	Local    trust.Local // what the daemon made before
	// BeforeTag is asked before a tag is put, as often as it takes; an error leaves the tags as they are. Nil = nothing stands in the way.
	BeforeTag func(context.Context) error
}

// Decided is an image that is compiled, with what was decided about it.
type Decided struct {
	Graphs []Graph // one for each platform
	Remote *RemoteState
	Plan   Plan
	Notes  []string // that a user should know
}

// Steps counts the steps that make a layer of the image.
type Steps struct{ Ran, Cached int }

// Made is an image that was exported. The steps are those of the export.
type Made struct {
	Decided
	Exported
	Steps Steps
}

// Published is an image that is where it was to go.
type Published struct {
	Digest string // of the manifest or index, "" = none was exported
	Config string // digest of the config, "" = there is not one
	Route  Route
	Size   int64   // bytes of the compressed layers; 0 = unknown
	Layers *Layers // nil = unknown, or nothing was pushed
	Sizes  []int64 // of the compressed layers of an image of one platform, in bytes, the base's first; nil = unknown
	Unkept []Unkept
	// Descriptor is that of the manifest or index, the zero value where nobody says it.
	Descriptor ocispecs.Descriptor
}

// Unkept is what a build could not leave in the registry for later ones. The image itself is there.
type Unkept struct {
	Ref string
	Err error
}

// Layers counts the layers of a pushed image. New ones were in none of the repository's images that this build could see.
type Layers struct {
	New    int   `json:"new"`          // layers that were pushed
	Reused int   `json:"reused"`       // layers that the registry had
	Pushed int64 `json:"pushed_bytes"` // bytes of the new layers, the config and the manifest
	// AtMost says that the daemon pushed: it does not tell which of the new layers the registry had all the same, in another repository from which they were mounted, say.
	AtMost bool `json:"at_most,omitempty"`
}

// StartLook begins to ask the registry, while the daemon is busy with its own look-ups, and returns what waits for the answer.
func (p Publisher) StartLook(ctx context.Context) func() *RemoteState {
	var remote *RemoteState
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		remote = Look(ctx, p.Registry, p.Options, p.Local)
		remote.refused = p.refusal(ctx, remote)
		if !remote.keyed() {
			p.askForRecords()
		}
	}()
	return func() *RemoteState {
		<-looked
		return remote
	}
}

// refusal returns why the registry would take no image of this account, nil if it might. An account that may push and not read is asked for by an upload.
func (p Publisher) refusal(ctx context.Context, remote *RemoteState) error {
	if !p.Pushes() || !registry.Refuses(remote.failed) {
		return nil
	}
	what := "whether " + registry.Host(p.Tags[0]) + " takes the image"
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Look, &limits.TimedOutError{What: what, For: limits.Look})
	defer cancel()
	if err := p.Registry.MayPush(ctx, p.Tags[0]); registry.Refuses(err) {
		return err
	}
	return nil
}

// Decide decides how the image gets to its outputs, see the function of that name. Where something has to be known before a tag is put, the exporter pushes nothing.
func (p Publisher) Decide(ctx context.Context, remote *RemoteState, graphs []Graph, how How) Decided {
	how.Late = how.Late || p.BeforeTag != nil
	if !how.Whole {
		remote = confirm(ctx, p.Registry, p.Bases, p.Options, remote, graphs)
	}
	d := Decided{Graphs: graphs, Remote: remote, Plan: Decide(p.Options, remote, graphs, how)}
	if n := len(remote.lost); n > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("the registry has lost %s of the image under %s: they are pushed again", counts.Plural(n, "blob"), p.Tags[0]))
	}
	if d.Plan.Whole() {
		p.askForRecords()
	}
	return d
}

// Publish does what is left once the outputs are written: what belongs to a push, and the caches. Without a push only those that the user named
// are written.
func (p Publisher) Publish(ctx context.Context, m Made) (Published, error) {
	done := Published{Digest: m.Digest, Config: m.Exported.Config, Route: m.Plan.Expected, Descriptor: m.desc}
	if m.Plan.Expected.Kind == NotPushed {
		if len(p.CacheTo) == 0 {
			return done, nil
		}
		_, err := p.exportCache(ctx, m)
		return done, err
	}
	route, m, sent, err := p.push(ctx, m)
	if err != nil {
		return done, err
	}
	done.Digest, done.Config, done.Route = m.Digest, m.Exported.Config, route
	desc, data, unreachable := p.manifest(ctx, m, sent)
	if unreachable == nil {
		done.Descriptor = desc
	}
	if err := missing(p.Tags[0], unreachable); err != nil {
		return done, err
	}
	var layers []ocispecs.Descriptor
	if unreachable == nil {
		layers, _ = p.Registry.Layers(ctx, p.repository()+"@"+m.Digest, desc, data) // none = unknown
		done.Size, done.Layers = p.countLayers(m, desc, layers, route)
		done.Sizes = sizesOf(m, layers)
	}
	if err := mayTag(ctx, p.BeforeTag); err != nil {
		return done, err
	}
	if err := p.putTags(ctx, m, desc, data, unreachable); err != nil {
		return done, err
	}
	var cache digest.Digest
	if !p.cacheServes(m, layers) {
		cache, err = p.exportCache(ctx, m)
	}
	if err != nil && len(p.CacheTo) == 0 { // nobody has asked for it
		done.Unkept, err = append(done.Unkept, Unkept{p.OwnCaches()[0], err}), nil
	}
	done.Unkept = append(done.Unkept, p.remember(ctx, m, cache)...)
	return done, err
}

// missing is the fault of a registry that took an image and does not have it, nil where it has, or where the client cannot ask.
func missing(tag string, err error) error {
	if !errdefs.IsNotFound(err) && !errors.Is(err, registry.ErrOtherContent) {
		return nil
	}
	return fault.New(fault.Registry, "the registry took %s and does not have it: %w", tag, err).
		Hint("something between here and the registry may answer in its place: a proxy, a login page").Hint("look with: docker pull %s", tag)
}

// push carries out the route. Where a way fails the next one is taken, and in the end the daemon pushes everything, which also knows where
// a new base's layers are. It returns the route that led there, what is in the registry then, and the manifest where the client sent it.
func (p Publisher) push(ctx context.Context, m Made) (Route, Made, []byte, error) {
	if !m.Plan.deferred() {
		return m.Plan.Expected, m, nil, nil // the exporter did
	}
	var manifest []byte
	if m.Digest != m.Remote.digest || len(m.Remote.lost) > 0 {
		manifest, _ = exportedManifest(ctx, p.Content, m.Exported) // then the daemon pushes
	}
	route := m.Plan.Route(digest.Digest(m.Digest), manifest, m.Remote)
	for {
		var err error
		switch route.Kind {
		case Nothing:
			return route, m, nil, nil
		case ClientPush:
			err = p.clientPush(ctx, m, manifest, nil)
		case PartPush:
			err = p.partPush(ctx, m, manifest)
		default:
			m, err = p.pushWhole(ctx, m)
			return route, m, nil, err
		}
		if err == nil {
			return route, m, manifest, nil
		}
		if ctx.Err() != nil {
			return route, m, nil, context.Cause(ctx)
		}
		if untagged, ok := errors.AsType[*heldError](err); ok {
			return route, m, nil, untagged.why
		}
		route = m.Plan.next(route, err)
	}
}

// partPush has the daemon push the layers that were made, as an image of their own that has no tag, and pushes what is left of the whole one from here.
func (p Publisher) partPush(ctx context.Context, m Made, manifest []byte) error {
	entry := p.pushEntry(p.repository())
	entry.Attrs["push-by-digest"] = "true"
	resp, err := p.Run(ctx, Run{Exports: []bkclient.ExportEntry{entry}}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return p.solvePart(ctx, gw, m.Decided)
	})
	if err != nil {
		return err
	}
	if got := exportedBy(resp).Digest; got != m.part.digest.String() {
		return fmt.Errorf("the daemon pushed %s, and had made %s", got, m.part.digest)
	}
	return p.clientPush(ctx, m, manifest, m.part.manifest.Layers)
}

// daemonPush has the daemon push the whole image under the first tag.
func (p Publisher) daemonPush(ctx context.Context, m Made) (Made, error) {
	if p.BeforeTag != nil {
		return pushThenTag(ctx, p, m)
	}
	resp, err := p.pushAs(ctx, m, p.Tags[0])
	if err != nil {
		return m, err
	}
	m.Plan.reuse, m.Exported = nil, exportedBy(resp)
	return m, nil
}

// pushAs has the daemon push the whole image under a name.
func (p Publisher) pushAs(ctx context.Context, m Made, tag string) (*bkclient.SolveResponse, error) {
	return p.Run(ctx, Run{Exports: []bkclient.ExportEntry{p.pushEntry(tag)}}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		return p.solveGraphs(ctx, gw, m.Decided)
	})
}

// exportedManifest reads the manifest of an exported image.
func exportedManifest(ctx context.Context, daemon content.Provider, e Exported) ([]byte, error) {
	if !images.IsManifestType(e.desc.MediaType) {
		return nil, fmt.Errorf("the daemon exported %q, no image", e.desc.MediaType)
	}
	data, err := content.ReadBlob(ctx, e.over(daemon), e.desc)
	if err != nil {
		return nil, fmt.Errorf("read the exported manifest: %w", err)
	}
	return data, nil
}

// manifest returns the one that the tag names now: that which was there, or the one that was pushed, as the registry has it. A registry that took it is asked for it: some
// answer that all is well and keep nothing.
func (p Publisher) manifest(ctx context.Context, m Made, sent []byte) (ocispecs.Descriptor, []byte, error) {
	if m.Digest == m.Remote.digest {
		return m.Remote.image.desc, m.Remote.image.data, nil
	}
	ref := p.repository() + "@" + m.Digest
	if m.desc.Digest.String() != m.Digest {
		return p.Registry.Manifest(ctx, ref)
	}
	data, err := p.Registry.Blob(ctx, ref, m.desc)
	if err != nil && sent != nil && missing(ref, err) == nil {
		return m.desc, sent, nil // it may not be read, only written
	}
	return m.desc, data, err
}

// countLayers adds up the layers of the pushed image, and those of them that the repository did not have. No layers = unknown.
func (p Publisher) countLayers(m Made, desc ocispecs.Descriptor, layers []ocispecs.Descriptor, route Route) (size int64, l *Layers) {
	if layers == nil {
		return 0, nil
	}
	for _, d := range layers {
		size += d.Size
	}
	if m.Remote.unknown {
		return size, nil
	}
	l = &Layers{}
	there := p.Locks.Remember(p.repository(), layers)
	maps.Copy(there, m.Remote.seen)
	maps.Copy(there, m.Remote.layers)
	for lost := range m.Remote.lost {
		delete(there, lost)
	}
	for _, d := range layers {
		if there[d.Digest] {
			l.Reused++
			continue
		}
		there[d.Digest] = true
		l.New++
		l.Pushed += d.Size
	}
	l.AtMost = l.New > 0 && route.Kind != ClientPush
	if m.Remote.digest != m.Digest {
		l.Pushed += desc.Size
	}
	return size, l
}

// sizesOf lists the sizes of layers of an image of one platform.
func sizesOf(m Made, layers []ocispecs.Descriptor) (sizes []int64) {
	if len(m.Graphs) != 1 {
		return nil
	}
	for _, l := range layers {
		sizes = append(sizes, l.Size)
	}
	return sizes
}

// putTags puts the further tags on the pushed manifest. Where the client cannot reach the registry, the daemon pushes them.
func (p Publisher) putTags(ctx context.Context, m Made, desc ocispecs.Descriptor, data []byte, unreachable error) error {
	for _, t := range p.Tags[1:] {
		if unreachable == nil && registry.Repository(t) == p.repository() {
			if err := p.Registry.Tag(ctx, t, desc, data); err == nil {
				continue
			}
		}
		if _, err := p.pushAs(ctx, m, t); err != nil {
			return err
		}
	}
	return nil
}
