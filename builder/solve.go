package builder

import (
	"context"
	"io"
	"slices"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// platformBuild is one platform's image: what was found for it, and its graph.
type platformBuild struct {
	found  lookup.Found
	inputs llb.Inputs
	graph  *llb.Graph
}

// asker asks the daemon for a variant. What the steps of its questions say goes to the watcher.
func (b *build) asker(gw gateway.Client, v Variant, w *diagnose.Watcher) lookup.Asker {
	d := lookup.Daemon{
		Gateway: gw, Worker: b.worker, Network: b.network(), NoCache: b.req.NoCache, Logs: w, Stopped: func() error { return context.Cause(b.ctx) },
	}
	target := recipe.Stage(b.req.Target)
	agent := slices.ContainsFunc(b.req.SSH, func(s SSH) bool { return s.ID == "default" })
	ssh := lookup.SSH{Agent: agent || b.purpose.plans, KnownHosts: b.req.KnownHosts} // a plan fetches nothing, but names a server's key
	bases := lookup.Bases{Daemon: d, Lock: b.system}
	uv := lookup.UV{Daemon: d, SSH: ssh, Session: b.session(b.locals), Tagged: b.req.Tagged, Bases: bases}
	return lookup.Asker{
		Target: target,
		Bases:  bases,
		System: lookup.System{Daemon: d, Helpers: b.helpers, Lock: b.system},
		UV:     uv,
		Stage:  lookup.Stage{UV: uv, Locks: b.req.locks(), Name: target, Lock: v.StageLocks[b.req.Target]},
		Models: lookup.Models{Daemon: d, Target: target, Lock: b.system},
		Sources: lookup.Sources{
			Daemon: d, SSH: ssh, Tagged: b.req.Tagged, Addr: b.daemon.Addr, Platforms: b.daemon.Platforms,
			Open: b.openFile,
		},
	}
}

// openFile opens a file of the project.
func (b *build) openFile(path string) (io.ReadCloser, error) {
	if b.inside != nil {
		return b.inside.Open(path)
	}
	return b.project.OpenFile(path)
}

// usable returns the variant's Python lock if it answers today's project, and holds mlbuild.lock against that.
func (b *build) usable(v Variant) (*pylock.Lock, error) {
	return b.req.locks().Usable(recipe.Stage(b.req.Target), v.Recipes, v.Lock, b.system)
}

// compile looks up what one platform needs and makes its graph.
func (b *build) compile(ctx context.Context, a lookup.Asker, r *recipe.Recipe, lock *pylock.Lock) (platformBuild, error) {
	f, err := a.Find(ctx, r, lock)
	if err != nil {
		return platformBuild{}, err
	}
	in := f.Inputs()
	in.Worker, in.Helpers, in.Reference, in.Network, in.Session = b.worker, b.helpers, b.reference, b.network(), b.session(b.locals)
	in.Epoch, in.Target, in.NoCache, in.Checks = b.req.Epoch, recipe.Stage(b.req.Target), b.req.NoCache, b.req.Checks.graph()
	if in.Helpers.Checks, err = helper.Digest(helper.Checks, r.Platform); err != nil {
		return platformBuild{}, err
	}
	in.Reference.Checks, in.GPU = in.Helpers.Checks, gpuFor(r, b.daemon.Workers)
	if len(r.Steps()) > 0 || r.IntoEnvironment() {
		if err := addSteps(&in, imageName(b.worker), r.Platform); err != nil {
			return platformBuild{}, err
		}
	}
	graph, err := llb.Compile(r, in)
	if err != nil {
		return platformBuild{}, err
	}
	return platformBuild{f, in, graph}, nil
}

// addSteps adds the program that runs a project's steps, for the daemon's platform and for the image's.
func addSteps(in *llb.Inputs, worker, platform string) (err error) {
	if in.Helpers.StepWorker, err = helper.Digest(helper.Steps, worker); err != nil {
		return err
	}
	if in.Reference.StepWorker, err = helper.Digest(helper.Steps, referencePlatform); err != nil {
		return err
	}
	in.Helpers.StepTarget, err = helper.Digest(helper.Steps, platform)
	in.Reference.StepTarget = in.Helpers.StepTarget
	return err
}

// session names the session of the local files in the graph, unless another client is to send it.
func (b *build) session(l *session.Files) ops.Session {
	if b.inside != nil {
		return ops.Session{Project: b.inside.Project}
	}
	if b.purpose.portable || l == nil {
		return ops.Session{}
	}
	return ops.Session{ID: l.ID()}
}
