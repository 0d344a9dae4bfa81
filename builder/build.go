package builder

import (
	"context"
	"errors"
	"net/http"
	"sync"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/localfs"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Builder builds on one daemon.
type Builder struct{ daemon *daemon.Daemon }

// New takes a daemon that daemon.Find has proved. The caller closes it.
func New(d *daemon.Daemon) *Builder { return &Builder{daemon: d} }

// Build runs the request: every variant at once, each in a build of its own. It returns the images in the order of the variants. A
// variant that fails does not stop the others; the error then holds every fault, and Result the images that were made.
func (b *Builder) Build(ctx context.Context, req Request) (*Result, error) {
	if err := errors.Join(req.Validate(), req.Unfit()); err != nil {
		return nil, err
	}
	run, err := b.start(ctx, req, purpose{})
	if err != nil {
		return nil, err
	}
	defer run.close()
	if llb.NeedsPackages(req.Target) {
		if err := run.store.ForSteps(req.stepRecipes(), req.SSH); err != nil {
			return nil, err
		}
	}
	if req.Gates.Atomic {
		run.gate = newGate(len(req.Variants))
	}
	images, checks, errs := make([]*Image, len(req.Variants)), make([][]evidence.Check, len(req.Variants)), make([]error, len(req.Variants))
	var wg sync.WaitGroup
	for i, v := range req.Variants {
		wg.Go(func() { images[i], checks[i], errs[i] = run.variant(run.ctx, v) })
	}
	wg.Wait()
	err = run.failures(errs)
	res := &Result{}
	for i, m := range images {
		if m != nil {
			res.Images = append(res.Images, *m)
		} else {
			res.Unpublished = append(res.Unpublished, unpublished(req.Variants[i], checks[i], errs[i]))
		}
	}
	if err == nil && req.Index != "" {
		res.Index, err = putIndex(ctx, run.registry, req.Index, res.Images)
	}
	return res, err
}

// failures joins what the variants failed of. One that was only held back tells nothing new.
func (b *build) failures(errs []error) error {
	for i, err := range errs {
		if errors.Is(err, errHeld) {
			errs[i] = nil
			b.req.note("profile %s is not published: %v", b.req.Variants[i].Profile, errHeld)
		}
	}
	return errors.Join(errs...)
}

// purpose is what a run is for. The zero value builds.
type purpose struct {
	plans     bool // nothing is built
	portable  bool // graphs are for another client: they name no session
	tagsAgain bool // what mlbuild.lock says of the images' tags is looked up again
}

// build is one run while it lasts.
type build struct {
	ctx     context.Context //nolint:containedctx // ends when the daemon falls silent; a run is one call
	stop    func()
	req     Request
	daemon  *daemon.Daemon
	worker  ocispecs.Platform // the daemon's own platform
	helpers ops.Helpers
	// reference are those of referencePlatform.
	reference ops.Helpers
	store     session.Store
	system    *buildlock.Lock // the project's mlbuild.lock, nil = there is none
	project   *localfs.Dir
	inside    *Inside // in place of a project and a session of this client's; nil = this is the client
	locals    *session.Files
	second    *laterFiles // another session with the same files
	registry  *registry.Client
	tokens    *http.Client // asks the registries' token services
	repoLocks *publish.RepoLocks
	gate      *gate // nil = each variant is published by itself
	records   *publish.Records
	purpose   purpose
}

// referencePlatform is the one by whose helpers layers are known (llb.Inputs.Reference).
const referencePlatform = "linux/amd64"

// helpersFor returns the digests of the embedded programs for a platform.
func helpersFor(platform string) (h ops.Helpers, err error) {
	if h.Wheels, err = helper.Digest(helper.Wheels, platform); err != nil {
		return h, err
	}
	h.Packages, err = helper.Digest(helper.Packages, platform)
	return h, err
}

// start checks what can be checked before the daemon is asked for anything, and opens the session of the local files.
func (b *Builder) start(ctx context.Context, req Request, p purpose) (*build, error) {
	req.Note = toldOnce(req.Note)
	store, err := req.secrets(ctx)
	if err != nil {
		return nil, err
	}
	system, err := req.buildLock()
	if err != nil {
		return nil, err
	}
	worker, err := b.preflight(req, store, system)
	if err != nil {
		return nil, err
	}
	helpers, err := helpersFor(imageName(worker))
	if err != nil {
		return nil, err
	}
	reference, err := helpersFor(referencePlatform)
	if err != nil {
		return nil, err
	}
	if p.tagsAgain {
		system = system.WithoutImages()
	}
	run := &build{
		req: req, purpose: p, daemon: b.daemon, worker: worker, helpers: helpers, reference: reference, store: store, system: system,
		registry: registry.New(req.Auth, req.CA, req.insecure()...), tokens: registry.HTTPClient(req.CA, req.insecure()...), repoLocks: publish.NewRepoLocks(),
	}
	run.ctx, run.stop = b.daemon.Watch(ctx)
	run.records = publish.NewRecords(run.ctx, b.daemon.Client)
	if run.project, err = session.OpenProject(req.Dir, req.State, req.Above()); err != nil {
		run.stop()
		return nil, err
	}
	if run.locals, err = session.Open(run.ctx, b.daemon.Client, run.project); err != nil {
		run.stop()
		return nil, err
	}
	store[llb.RunSecret] = []byte(run.locals.ID())
	run.second = &laterFiles{open: func() (*session.Files, error) {
		return session.Open(run.ctx, b.daemon.Client, run.project)
	}}
	return run, nil
}

func (b *build) close() {
	b.second.close()
	b.locals.Close()
	_ = b.project.Close()
	b.stop()
}

// laterFiles are a session of local files that is opened when it is first asked for.
type laterFiles struct {
	open  func() (*session.Files, error)
	mu    sync.Mutex
	files *session.Files
}

func (l *laterFiles) get() (files *session.Files, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files == nil {
		l.files, err = l.open()
	}
	return l.files, err
}

func (l *laterFiles) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files != nil {
		l.files.Close()
	}
}

// preflight returns the daemon's own platform, and refuses what it could not build: a step of a foreign platform without an emulator, a secret's
// value in the image.
func (b *Builder) preflight(req Request, store session.Store, system *buildlock.Lock) (ocispecs.Platform, error) {
	var faults fault.List
	for _, v := range req.Variants {
		for _, r := range v.Recipes {
			faults = append(faults, fault.All(profiles.CheckSecretValues(r, store))...)
			faults = append(faults, b.canRun(r, system, req.Target, req.Checks.graph())...)
		}
	}
	if len(b.daemon.Platforms) == 0 {
		faults = append(faults, fault.New(fault.DaemonVersion, "the daemon at %s names no platform", b.daemon.Addr))
	}
	if err := faults.Err(); err != nil {
		return ocispecs.Platform{}, err
	}
	return lookup.ParsePlatform(b.daemon.Platforms[0])
}

// canRun refuses to run a foreign platform's own programs on a daemon without their emulator. Only apt, dpkg, the compilation of bytecode, the checks of the image and the
// project's own steps need that: wheels, and system packages that a lock lists as layers, are unpacked on the daemon's own platform.
func (b *Builder) canRun(r *recipe.Recipe, system *buildlock.Lock, target string, checks llb.Checks) fault.List {
	what, unchecked := "installs system packages", false
	switch steps := r.Steps(); {
	case lookup.RunsApt(r, system, recipe.Stage(target)):
	case target == "testing":
		what = "runs the project's tests"
	case r.Bytecode && llb.NeedsPackages(target):
		what = "compiles bytecode with the image's Python"
	case len(steps) > 0 && llb.NeedsPackages(target):
		what = "runs the commands of the " + steps[0].Name
	case isRuntime(target) && checks != llb.NoChecks && !r.Requires.Nothing():
		what, unchecked = "is run before it is published", true
	default:
		return nil
	}
	if lookup.RunsOn(b.daemon.Platforms, r.Platform) {
		return nil
	}
	f := fault.New(fault.Platform, "profile %s on %s %s, and the daemon at %s runs only %v", r.Profile, r.Platform, what, b.daemon.Addr, b.daemon.Platforms)
	f.Hint("install the emulator on the daemon's machine: apt-get install qemu-user-static").Hint("or build this platform on a daemon of its kind: --addr")
	if unchecked {
		return fault.List{f.Hint("or build it without a check of what is installed: --checks=none")}
	}
	return fault.List{f.Hint("packages that mlbuild.lock lists as layers for this platform need no emulator")}
}

func (b *build) network() ops.Network {
	public, _ := b.req.Proxy.WithoutPasswords()
	return ops.Network{CA: b.req.CA != nil, Proxy: public}
}

// failed is what is known of a variant's build now that something in it failed, and the watcher heard what its steps said.
func (b *build) failed(profile string, w *diagnose.Watcher) diagnose.Build {
	return diagnose.Build{Profile: profile, Stopped: context.Cause(b.ctx), Logs: w}
}
