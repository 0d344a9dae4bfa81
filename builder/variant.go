package builder

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/kept"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// product is how the client names itself to the daemon.
const product = "mlbuild"

// imageBuild is one variant while it is built. What a step finds out it returns, and the next one takes it.
type imageBuild struct {
	runner
	publish publish.Publisher
	lock    *publish.Lock // of the repository that the image is pushed to
	// remote waits for what the registry answered, which is asked while the variant is looked up.
	remote  func() *publish.RemoteState
	unmoved bool  // the tag was found as it was
	ahead   *made // what could be decided without the daemon; nil = it has to be asked
}

// made is what the daemon made of a variant.
type made struct {
	publish.Made
	platforms []platformBuild
	tested    bool            // the tests ran and passed
	solved    bool            // the daemon had everything that its exporters were then given
	counts    diagnose.Counts // of steps
	fates     []publish.Fate  // of the layers; nil = nobody knows
	notes     []string        // that a user should know
	beside    beside          // goes on until the image is exported
}

// errHere ends a build whose image is under its tag already: the daemon has nothing to make.
var errHere = errors.New("the tag names this image already")

// attempt is how a variant is built. The zero value is the first one.
type attempt struct {
	publish.How
	uncached bool // the profile's own caches are passed over
	swept    bool // the daemon has thrown away what was left of broken downloads
}

// variant builds, exports and tags one profile, then exports its cache. Where there is no image, checks say how far those of it have come.
func (b *build) variant(ctx context.Context, v Variant) (image *Image, checks []evidence.Check, err error) {
	began := time.Now()
	defer func() { b.gate.end(v.Profile, err != nil) }()
	w := b.req.watch(v.Profile)
	defer w.Close()
	m := b.imageBuild(v, w)
	defer m.lock.Release()
	defer m.followPush(ctx)()
	m.remote = m.publish.StartLook(ctx)
	defer m.remote()
	m.ahead = m.decideAhead(ctx)
	made, published, err := m.deliver(ctx)
	checks = checked(b.req, v, made.platforms, w, err == nil || errors.Is(err, errHeld))
	if errors.Is(err, errHeld) {
		return nil, checks, err
	}
	if err != nil {
		return nil, checks, b.keepFailed(ctx, v, w, checks, m.explain(ctx, err))
	}
	image = imageOf(v, made)
	notes, err := m.unkept(ctx, published)
	if err != nil {
		return nil, checks, err
	}
	image.Cached, image.Ran, image.Sources = made.counts.Cached, made.counts.Ran, made.counts.Sources
	image.Digest, image.Config, image.Size, image.Layers, image.Route = published.Digest, published.Config, published.Size, published.Layers, published.Route
	image.Descriptor = published.Descriptor
	image.Checks, image.LayerSizes = checks, ownSizes(image, published)
	image.Fates = made.fates
	image.Notes = append(image.Notes, notes...)
	if b.req.Attest.Checks && m.publish.Pushes() {
		err = attest(ctx, b.registry, b.req.Attest.Version, image)
	}
	image.Seconds = time.Since(began).Seconds()
	return image, nil, err
}

// imageBuild prepares the build of a variant, which the watcher follows. Nobody holds its lock yet.
func (b *build) imageBuild(v Variant, w *diagnose.Watcher) *imageBuild {
	run, options := runner{b, v, w}, b.req.options(v)
	options.Written = &publish.Written{}
	store := proxy.NewContentStore(b.daemon.Client.ContentClient())
	m := &imageBuild{runner: run, publish: publish.Publisher{
		Options: options, Registry: b.registry, Content: store, Bases: b.kept(store),
		Run: run.run, Records: b.records, Locks: b.repoLocks,
		Local: trust.Local{Dir: below(b.req.State, "layers"), Daemon: b.daemon.Identity()},
	}}
	m.lock = m.publish.Lock()
	if options.Pushes() && (b.gate != nil || b.req.Gates.IfTagUnchanged) {
		m.publish.BeforeTag = m.beforeTag
	}
	return m
}

// followPush has the watcher told how far a push is. What comes back ends that.
func (m *imageBuild) followPush(ctx context.Context) (end func()) {
	if !m.publish.Pushes() || m.req.Status == nil {
		return func() {}
	}
	ctx, end = context.WithCancel(ctx)
	pushing := publish.NewPushing(m.publish.Content, m.registry, m.publish.Tags[0], m.w.HandOn)
	m.w.Tap(func(s *bkclient.SolveStatus) { pushing.Hear(ctx, s) })
	return end
}

// kept are the manifests and configs that this client has seen, and those of a store where it has one.
func (b *build) kept(daemon content.Provider) kept.Store {
	return kept.Store{Dir: below(b.req.State, "images"), Daemon: daemon}
}

// below is a directory of the client's state, "" where it has none.
func below(state, name string) string {
	if state == "" {
		return ""
	}
	return filepath.Join(state, name)
}

// deliver makes the variant and publishes it. Where a cache or a registry turns out to be in the way, it does so once more around it.
func (m *imageBuild) deliver(ctx context.Context) (made, publish.Published, error) {
	all, published, err := m.once(ctx, attempt{})
	if err == nil || ctx.Err() != nil || errors.Is(err, errHeld) {
		return all, published, err
	}
	how, note := m.around(ctx, all, err)
	if how == (attempt{}) {
		return all, published, err
	}
	all, published, err = m.once(ctx, how)
	all.notes = append(all.notes, note...)
	return all, published, err
}

// around returns how to build once more after something failed, the zero value where that would be of no use, and what a user should know.
func (m *imageBuild) around(ctx context.Context, all made, failed error) (how attempt, notes []string) {
	if diagnose.Damaged(failed) && m.daemon.Sweep(ctx) == nil {
		how.swept = true
	}
	if len(all.Graphs) == 0 {
		return how, nil
	}
	if err := publish.CachesReadable(ctx, m.registry, all.Decided); err != nil {
		how.uncached = true
		return how, []string{fmt.Sprintf("built without the cache beside the image, which cannot be read and is written anew: %v", err)}
	}
	passes := slices.ContainsFunc(fault.All(m.explain(ctx, failed)), func(f *fault.Fault) bool { return f.Retry })
	if all.solved && !passes && all.Plan.Expected.Kind == publish.DaemonPush && m.publish.Sends(all.Decided) {
		how.Late = true
	}
	return how, nil
}

// once makes the variant and publishes it.
func (m *imageBuild) once(ctx context.Context, how attempt) (made, publish.Published, error) {
	all, err := m.make(ctx, how)
	if err != nil {
		return all, publish.Published{}, m.askedAfter(ctx, how, err)
	}
	all.notes = append(all.notes, m.w.Warnings()...)
	steps := m.w.LayerSteps()
	all.Steps = publish.Steps{Ran: steps.Ran, Cached: steps.Cached}
	all.counts = m.w.Counts() // those of the caches that are written later do not count
	all.fates = fatesOf(all, m.w)
	published, err := m.publish.Publish(ctx, all.Made)
	return all, published, err
}

// imageOf is what the result says of an image before it is published. Of several platforms the last one speaks.
func imageOf(v Variant, m made) *Image {
	image := &Image{Profile: v.Profile, Platforms: v.platforms(), Tags: v.Tags}
	for _, c := range m.platforms {
		image.Locked, image.CUDA, image.Plan, image.Pruned = c.found.Locked, c.found.Packages.Runtime.CUDA, c.graph.Plan, c.found.Packages.Runtime.Pruned
	}
	if m.tested {
		image.Tests = "passed"
	}
	for _, n := range m.notes {
		if !slices.Contains(image.Notes, n) {
			image.Notes = append(image.Notes, n)
		}
	}
	return image
}

// fatesOf are the fates of the layers of an image, with what the daemon had of those that were not taken from the registry. Of several platforms none is told.
func fatesOf(m made, w *diagnose.Watcher) []publish.Fate {
	if len(m.Graphs) != 1 {
		return nil
	}
	all, layers := m.Fates(), m.Graphs[0].Lineage.Layers
	for i := range all {
		if all[i].Reused || i >= len(layers) {
			continue
		}
		had, known := w.Had(digest.Digest(layers[i].Digest))
		all[i].Cached, all[i].Made = known && had, known && !had
		if all[i].Cached {
			all[i].Why = "the daemon had it from an earlier build"
		}
	}
	return all
}

// make runs the build function and the exporters. A download that failed for a passing reason is tried again in a build of its own: the
// daemon's HTTP source never asks twice, and the daemon keeps a step's error as long as the build lasts.
func (m *imageBuild) make(ctx context.Context, how attempt) (all made, err error) {
	for try := 0; m.req.Retry.wait(ctx, try); try++ {
		if all, err = m.makeOnce(ctx, how); !passes(err) {
			break
		}
	}
	return all, err
}

// makeOnce exports in one solve, and in two where an output has another codec than zstd. The daemon keeps the first blob that it makes of a layer
// and gives it to every later export that does not force its own: a gzip or uncompressed export of a new layer would end up in
// the images that are pushed afterwards, of this project and of others.
func (m *imageBuild) makeOnce(ctx context.Context, how attempt) (all made, err error) {
	outputs, err := m.publish.Entries()
	if err != nil {
		return made{}, err
	}
	if publish.OtherCodec(outputs) {
		first := []bkclient.ExportEntry{m.publish.FirstBlobs()}
		_, err := m.publish.Run(ctx, publish.Run{Exports: first}, func(ctx context.Context, gw gateway.Client) (res *gateway.Result, err error) {
			all, res, err = m.function(ctx, gw, how)
			return res, err
		})
		if err != nil {
			return all, err
		}
	}
	if m.decidedAhead(how) && m.idle(*m.ahead) {
		all = *m.ahead
		all.Exported = *all.Plan.Here()
		return all, nil
	}
	all, unfit, err := m.export(ctx, outputs, how)
	if err != nil || unfit == nil {
		return all, err
	}
	notes := append(all.notes, fmt.Sprintf("rebuilding all layers: could not reuse the existing image's layers: %v", unfit))
	how.Whole = true
	all, _, err = m.export(ctx, outputs, how)
	all.notes = append(notes, all.notes...)
	return all, err
}

// export runs one client.Build with the exporters of the outputs. unfit is why the image could not be put together of layers that the registry has.
func (m *imageBuild) export(ctx context.Context, outputs []bkclient.ExportEntry, how attempt) (all made, unfit, err error) {
	resp, err := m.publish.Run(ctx, publish.Run{Exports: outputs}, func(ctx context.Context, gw gateway.Client) (res *gateway.Result, err error) {
		if all, res, err = m.function(ctx, gw, how); err == nil {
			all.solved, err = true, m.beforePush(ctx)
		}
		return res, err
	})
	all.beside.stop()
	if errors.Is(err, errHere) {
		all.Exported = *all.Plan.Here()
		return all, nil, nil
	}
	if err != nil {
		return all, nil, err
	}
	all.Exported, unfit = m.publish.Assemble(ctx, all.Decided, resp)
	return all, unfit, nil
}

// beforePush waits until nothing stands in the way of a push: the other variants, where they are published together, and whoever pushes to the repository.
func (m *imageBuild) beforePush(ctx context.Context) error {
	if err := m.gate.wait(ctx, madePoint, m.v.Profile); err != nil {
		return err
	}
	return m.lock.Take(ctx)
}

// beforeTag waits until the tag may be put: the other variants are pushed, and nobody else has moved it.
func (m *imageBuild) beforeTag(ctx context.Context) error {
	if m.gate != nil {
		m.lock.Release() // for those that are waited for
		if err := m.gate.wait(ctx, pushedPoint, m.v.Profile); err != nil {
			return err
		}
	}
	if m.req.Gates.IfTagUnchanged && !m.unmoved {
		m.unmoved = true // from here on the tag is this build's
		return publish.Unmoved(ctx, m.registry, m.publish.Tags[0], m.remote())
	}
	return nil
}

// passes reports whether an error is a download that may succeed when it is tried again.
func passes(err error) bool {
	return slices.ContainsFunc(fault.All(err), func(f *fault.Fault) bool { return f.Retry && f.Code == fault.Download })
}

// runner runs one variant's builds on the daemon, which the watcher follows.
type runner struct {
	*build
	v Variant
	w *diagnose.Watcher
}

// run is one client.Build. An error of the function itself comes back as it was: on its way through the daemon it loses its type.
func (r runner) run(ctx context.Context, run publish.Run, f gateway.BuildFunc) (*bkclient.SolveResponse, error) {
	attached, failed, err := r.attachables(r.v)
	if err != nil {
		return nil, err
	}
	attrs := map[string]string{}
	if run.Platforms != "" {
		attrs["platform"] = run.Platforms
	}
	opt := bkclient.SolveOpt{
		Exports: run.Exports, CacheExports: publish.ClientCaches(run.Caches), Session: attached, SharedKey: r.project.Key(),
		OCIStores:     r.stores(),
		FrontendAttrs: attrs,
		CacheImports:  publish.ClientCaches(r.req.CacheFrom), // a cache in a local directory needs the client; the others are named in each solve
	}
	resp, err := r.call(ctx, opt, f)
	return resp, failed.explains(err)
}

// call is follow for a build that has the project's files.
func (r runner) call(ctx context.Context, opt bkclient.SolveOpt, f gateway.BuildFunc) (*bkclient.SolveResponse, error) {
	return follow(ctx, r.daemon, r.w, opt, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		offered := offering{gw, r.project, &lastError{}}
		res, err := f(ctx, offered)
		if err != nil {
			r.inFailedStep(ctx, gw, offered.failed.get(), err)
		}
		return res, err
	})
}

// follow is client.Build with what a watcher takes. An error of the function itself comes back as it was.
func follow(ctx context.Context, d *daemon.Daemon, w *diagnose.Watcher, opt bkclient.SolveOpt, f gateway.BuildFunc) (*bkclient.SolveResponse, error) {
	var failed error
	ctx, end := w.EndStalled(ctx)
	defer end()
	ch, drained := w.Channel()
	resp, err := d.Client.Build(ctx, opt, product, func(ctx context.Context, gw gateway.Client) (res *gateway.Result, err error) {
		res, err = f(ctx, gw)
		failed = err
		return res, err
	}, ch)
	<-drained
	if stalled := context.Cause(ctx); limits.IsTimedOut(stalled) && err != nil {
		return nil, diagnose.StalledFault(stalled)
	}
	if failed != nil {
		return nil, failed
	}
	return resp, err
}
