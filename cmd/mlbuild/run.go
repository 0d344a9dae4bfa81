package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// runFlags are what every command that talks to a daemon has.
type runFlags struct {
	project  projectFlags
	inputs   inputFlags
	daemon   daemonFlags
	progress string
}

func (r *runFlags) add(cmd *cobra.Command) {
	r.project.add(cmd)
	r.inputs.add(cmd)
	r.daemon.add(cmd)
	cmd.Flags().StringVar(&r.progress, "progress", "auto", "`mode` of the progress display: auto, tty, short, plain, buildkit, rawjson, quiet")
}

// session is one run of a command on a daemon.
type session struct {
	project  *project
	request  builder.Request
	progress *progress
	notes    []string // told when the progress display has ended
	told     []string // those that were
	daemon   *daemon.Daemon
	stopped  bool // by the user
}

// wanted is what a command wants of the images. Commands that build none leave it empty.
type wanted struct {
	target      string // stage; "" = runtime
	locked      bool
	checks      builder.Checks // that images have to pass
	gates       builder.Gates
	attest      builder.Attest
	index       string // full reference
	outputs     []builder.Output
	noCache     ops.NoCache
	compression recipe.Compression
	cacheFrom   []builder.Cache
	cacheTo     []builder.Cache
	noOwnCache  bool
	cacheRepo   string
	trustKeys   []trust.Key
	onError     *builder.OnError
}

// prepare reads the project and everything that flags and variables say; wants reads what a command has beside, nil = nothing. It is the one place where a request is
// filled. All faults come at once; no daemon is asked yet.
func (r *runFlags) prepare(ctx context.Context, e *env, cmd *cobra.Command, args []string, wants func([]builder.Variant) (wanted, error)) (*session, error) {
	dir, err := r.project.dir(args)
	if err != nil {
		return nil, err
	}
	commit := readCommit(ctx, e, dir) // while the project is read
	p, err := r.project.open(args)
	if err != nil {
		return nil, err
	}
	c := commit()
	created, noEpoch := epoch(e, c)
	faults := fault.All(p.resolve(e, &r.project, cmd, c.origin(created)))
	s := &session{project: p}
	tellProject(e, p, len(args) == 0)
	collect := func(err error) { faults = append(faults, fault.All(err)...) }
	s.progress, err = newProgress(e, r.progress, len(p.variants))
	collect(err)
	s.progress.order(p.variants)
	given, err := r.inputs.read(ctx, e)
	collect(err)
	ca, err := r.daemon.caBundle(ctx, e)
	collect(err)
	auth, err := registryAuth(ctx, e)
	collect(err)
	mirrors, err := r.daemon.mirrors(ctx, e)
	collect(err)
	collect(noEpoch)
	collect(p.readLocks())
	var w wanted
	if wants != nil {
		w, err = wants(p.variants)
		collect(err)
	}
	s.request = builder.Request{
		Dir: p.dir, State: clientState(e), Variants: p.variants, BuildLock: p.systemLock, Target: w.target, Outputs: w.outputs, NoCache: w.noCache, Locked: w.locked,
		Checks: w.checks, Gates: w.gates, Attest: w.attest, Index: w.index,
		Compression: w.compression, CacheFrom: w.cacheFrom, CacheTo: w.cacheTo, NoOwnCache: w.noOwnCache, CacheRepo: w.cacheRepo, TrustKeys: w.trustKeys,
		Tagged: c.tagged, KnownHosts: given.knownHosts, Secrets: given.secrets, SSH: given.ssh, CA: ca, Proxy: e.proxy(), Auth: auth, AuthHosts: mirrors,
		Epoch: created, Note: s.note,
	}
	if s.progress != nil {
		s.request.Status = s.progress.status
	}
	if w.onError != nil {
		s.request.OnError = w.onError
		w.onError.Open = func(why error, place string) (builder.Streams, error) { return s.shellAfter(e, why, place) }
	}
	return s, faults.Err()
}

// tellProject says which project it is, where that is not plain: it was found above the working directory.
func tellProject(e *env, p *project, searched bool) {
	e.debug("the project is %s, its file %s", p.dir, cmp.Or(p.file.File(), "none"))
	if here, err := os.Getwd(); err == nil && searched && p.dir != here && !sameDir(here, p.dir) {
		e.note("the project is %s, the nearest directory above this one with a %s", p.dir, profiles.FileName)
	}
}

// sameDir reports whether two paths are one directory.
func sameDir(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// connect reads the secrets and finds the daemon. The caller closes the session.
func (s *session) connect(ctx context.Context, e *env, flags *daemonFlags) (*builder.Builder, error) {
	request, err := builder.ReadSecrets(ctx, s.request)
	if err != nil {
		return nil, err
	}
	s.request = request
	if err := needHelpers(ctx, e); err != nil {
		return nil, err
	}
	d, err := flags.find(ctx, e)
	if err != nil {
		return nil, err
	}
	s.daemon = d
	e.debug("the daemon is %s, buildkit %s, for %s", d.Addr, cmp.Or(d.Version, "of unknown version"), join(d.Platforms))
	return builder.New(d), nil
}

// end draws the progress to its end and tells the notes that came meanwhile.
func (s *session) end(e *env) {
	s.progress.close()
	noteMu.Lock()
	defer noteMu.Unlock()
	for _, n := range s.notes {
		e.note("%s", n)
	}
	s.told, s.notes = append(s.told, s.notes...), nil
}

func (s *session) close() {
	if s.daemon != nil {
		_ = s.daemon.Close()
	}
}

// checkTarget refuses an unknown stage before anything is looked up.
func checkTarget(target string) error {
	if target == "" || slices.Contains(recipe.Stages, recipe.Stage(target)) {
		return nil
	}
	return fault.New(fault.Spec, "there is no stage %q", target).Hint("the stages are: %s", join(recipe.Texts(recipe.Stages)))
}

// parseStages reads what --no-cache says: nothing, everything, or some stages.
func parseStages(values []string) (ops.NoCache, error) {
	var faults fault.List
	var stages ops.NoCache
	for _, v := range values {
		v = strings.TrimSpace(v)
		if v == ops.NoCacheAll[0] {
			return ops.NoCacheAll, nil
		}
		if !slices.Contains(ops.NoCacheNames(), v) {
			faults = append(faults, fault.New(fault.Usage, "--no-cache: no step belongs to a stage %q", v).
				Hint("the stages are: %s; --no-cache alone runs every step again", join(ops.NoCacheNames())))
		}
		stages = append(stages, v)
	}
	return stages, faults.Err()
}
