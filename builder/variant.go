package builder

import (
	"context"
	"fmt"
	"slices"
	"time"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// product is how the client names itself to the daemon.
const product = "mlbuild"

// making is one variant while it is built.
type making struct {
	*build
	v        Variant
	image    *Image
	before   *seen               // read once looked is closed
	looked   <-chan struct{}     // the registry was asked, while the daemon is busy with its own look-ups
	graphs   []compiled          // one for each platform
	withheld bool                // the exporter was given no name: the tag seems to name the image already
	reuse    *reuse              // what is taken from the image that the tag names; nil = everything is built
	full     bool                // everything has to be
	part     smallImage          // with reuse, the image of the layers that were made
	steps    layerSteps          // of the image, before its cache is exported: then every step comes from the cache
	exported ocispecs.Descriptor // what the exporter says that it made
	own      blobs               // the manifest and config, where the client made them
	sent     []byte              // its manifest, where the client has pushed it; nil = the daemon did
	release  func()              // ends the turn at the repository; nil before it was taken
}

// variant builds, exports and tags one profile, then exports its cache.
func (b *build) variant(ctx context.Context, v Variant) (*Image, error) {
	began := time.Now()
	w := b.watch(v.Profile)
	defer w.close()
	m := &making{build: b, v: v, image: &Image{Profile: v.Profile, Platforms: v.platforms(), Tags: v.Tags}}
	defer func() {
		if m.release != nil {
			m.release()
		}
	}()
	looked := make(chan struct{})
	m.looked = looked
	go func() {
		defer close(looked)
		m.before = b.look(ctx, b.req, v)
		if !m.before.keyed() {
			m.askForRecords()
		}
	}()
	defer func() { <-looked }()
	resp, err := m.solve(ctx, w)
	if err != nil {
		return nil, b.explain(v.Profile, b.daemon.Explain(ctx, err))
	}
	m.steps = w.layerSteps()
	for _, warning := range w.warnings() {
		m.image.note("%s", warning)
	}
	m.image.Cached, m.image.Ran = w.counts()
	m.made(resp)
	if err := m.finish(ctx, w); err != nil {
		return nil, b.explain(v.Profile, b.daemon.Explain(ctx, err))
	}
	m.image.Seconds = time.Since(began).Seconds()
	return m.image, nil
}

// made notes what the exporter says that it made.
func (m *making) made(resp *bkclient.SolveResponse) {
	m.image.Digest = resp.ExporterResponse["containerimage.digest"]
	m.image.Config = resp.ExporterResponse["containerimage.config.digest"]
	m.exported = descriptorOf(resp.ExporterResponse["containerimage.descriptor"])
}

// note adds a note once.
func (i *Image) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(i.Notes, n) {
		i.Notes = append(i.Notes, n)
	}
}

// solve runs the build function and the exporters. A download that failed for a passing reason is tried again in a build of its own: the
// daemon's HTTP source never asks twice, and the daemon keeps a step's error as long as the build lasts.
func (m *making) solve(ctx context.Context, w *watcher) (resp *bkclient.SolveResponse, err error) {
	for try := 0; m.req.Retry.wait(ctx, try); try++ {
		if resp, err = m.solveOnce(ctx, w); !passes(err) {
			break
		}
	}
	return resp, err
}

// solveOnce exports in one solve, and in two where an output has another codec than zstd. The daemon keeps the first blob that it makes of a layer
// and gives it to every later export that does not force its own: a gzip or uncompressed export of a new layer would end up in
// the images that are pushed afterwards, of this project and of others.
func (m *making) solveOnce(ctx context.Context, w *watcher) (*bkclient.SolveResponse, error) {
	outputs, err := m.exports(m.v)
	if err != nil {
		return nil, err
	}
	if otherCodec(outputs) {
		if _, err := m.export(ctx, w, []bkclient.ExportEntry{m.firstBlobs()}, m.platforms); err != nil {
			return nil, err
		}
	}
	resp, err := m.export(ctx, w, outputs, m.function)
	if err != nil || m.reuse == nil {
		return resp, err
	}
	if err := m.compose(ctx, resp); err != nil {
		m.full = true
		m.image.note("everything is built, for the image cannot be put together of layers that are there: %v", err)
		return m.export(ctx, w, outputs, m.function)
	}
	return resp, nil
}

// run is one client.Build. An error of the function itself comes back as it was: on its way through the daemon it loses its type.
func (m *making) run(ctx context.Context, w *watcher, opt bkclient.SolveOpt, f gateway.BuildFunc) (*bkclient.SolveResponse, error) {
	var failed error
	ch, drained := w.channel()
	resp, err := m.daemon.Client.Build(ctx, opt, product, func(ctx context.Context, gw gateway.Client) (res *gateway.Result, err error) {
		res, err = f(ctx, gw)
		failed = err
		return res, err
	}, ch)
	<-drained
	if failed != nil {
		return nil, failed
	}
	return resp, err
}

// export runs one client.Build with exporters.
func (m *making) export(ctx context.Context, w *watcher, outputs []bkclient.ExportEntry, f gateway.BuildFunc) (*bkclient.SolveResponse, error) {
	opt, err := m.solveOpt(outputs)
	if err != nil {
		return nil, err
	}
	return m.run(ctx, w, opt, f)
}

// passes tells whether an error is a download that may succeed when it is tried again.
func passes(err error) bool {
	return slices.ContainsFunc(fault.All(err), func(f *fault.Fault) bool { return f.Retry && f.Code == fault.Download })
}

func (m *making) solveOpt(outputs []bkclient.ExportEntry) (bkclient.SolveOpt, error) {
	session, err := attachables(m.req, m.v, m.store)
	return bkclient.SolveOpt{
		Exports: outputs, Session: session, SharedKey: m.sharedKey(),
		OCIStores:     m.stores(),
		FrontendAttrs: map[string]string{},
		CacheImports:  clientCaches(m.req.CacheFrom), // a cache in a local directory needs the client; the others are named in each solve
	}, err
}

// function is what the daemon calls back: look up, resolve, compile and solve every platform; then wait for the turn to push.
func (m *making) function(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
	res, err := m.platforms(ctx, gw)
	if err == nil && m.pushes(m.v) {
		m.chooseName(res)
		err = m.takeTurn(ctx)
	}
	return res, err
}

// takeTurn waits until no other variant pushes to the repository. It is kept to the end, also by a second try.
func (m *making) takeTurn(ctx context.Context) (err error) {
	if m.release == nil {
		m.release, err = m.turns.take(ctx, registry.Repository(m.v.Tags[0]))
	}
	return err
}

// finish does what is left once the outputs are written: what belongs to a push, and the caches. Without a push only those that the user named
// are written.
func (m *making) finish(ctx context.Context, w *watcher) error {
	switch {
	case m.pushes(m.v):
		return m.afterPush(ctx, w)
	case len(m.req.CacheTo) > 0:
		return m.exportCache(ctx, w)
	}
	return nil
}

// afterPush counts layers, puts the further tags, and exports the cache where it does not serve the next build.
func (m *making) afterPush(ctx context.Context, w *watcher) error {
	if err := m.confirm(ctx, w); err != nil {
		return err
	}
	repo := registry.Repository(m.v.Tags[0])
	desc, data, err := m.pushed(ctx)
	var layers []ocispecs.Descriptor
	if err == nil {
		layers, _ = m.registry.Layers(ctx, repo+"@"+m.image.Digest, desc, data) // none = unknown
		m.image.Size, m.image.Layers = m.countLayers(repo, desc, layers)
	}
	if err := m.putTags(ctx, w, desc, data, err); err != nil {
		return err
	}
	m.noteLast(ctx, desc, data, layers)
	if m.cacheServes(layers) {
		return nil
	}
	return m.exportCache(ctx, w)
}

// countLayers adds up the layers of the pushed image, and those of them that the repository did not have. No layers = unknown.
func (m *making) countLayers(repo string, desc ocispecs.Descriptor, layers []ocispecs.Descriptor) (size int64, l *Layers) {
	if layers == nil {
		return 0, nil
	}
	if m.before.unknown {
		for _, d := range layers {
			size += d.Size
		}
		return size, nil
	}
	l = &Layers{}
	there := m.turns.remember(repo, layers)
	for _, d := range layers {
		size += d.Size
		if m.before.layers[d.Digest] || there[d.Digest] {
			l.Reused++
			continue
		}
		m.before.layers[d.Digest] = true
		l.New++
		l.Pushed += d.Size
	}
	if m.before.digest != m.image.Digest {
		l.Pushed += desc.Size
	}
	return size, l
}

// putTags puts the further tags on the pushed manifest. Where the client cannot reach the registry, the daemon pushes them.
func (m *making) putTags(ctx context.Context, w *watcher, desc ocispecs.Descriptor, data []byte, unreachable error) error {
	for _, t := range m.v.Tags[1:] {
		if unreachable == nil && registry.Repository(t) == registry.Repository(m.v.Tags[0]) {
			if err := m.registry.Tag(ctx, t, desc, data); err == nil {
				continue
			}
		}
		if _, err := m.pushAgain(ctx, w, t); err != nil {
			return err
		}
	}
	return nil
}

// pushAgain lets the daemon push the finished image under another name.
func (m *making) pushAgain(ctx context.Context, w *watcher, tag string) (*bkclient.SolveResponse, error) {
	return m.export(ctx, w, []bkclient.ExportEntry{m.pushEntry(tag)}, m.solveGraphs)
}

// pushes tells whether the variant goes to a registry.
func (b *build) pushes(v Variant) bool {
	for _, o := range b.req.Outputs {
		if o.Type == "image" && o.Push {
			return len(v.Tags) > 0
		}
	}
	return false
}

// errNoTag is given before anything is built.
func errNoTag(v Variant) error {
	return fault.New(fault.Spec, "profile %s is to be pushed, but has no tag", v.Profile).
		Hint("add --tag registry/name:tag, or image: to mlbuild.yaml and a bare --tag")
}
