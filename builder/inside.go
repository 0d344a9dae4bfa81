package builder

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/containerd/platforms"
	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Inside is a daemon as it is seen by a program that it runs itself, for a build of another client (package frontend).
type Inside struct {
	Gateway gateway.Client
	Project *ops.Tree                                // the project's directory, as the daemon has it
	Open    func(path string) (io.ReadCloser, error) // opens a file there
	Image   *ops.Tree                                // that the program runs in
	Program string                                   // writes the helpers out of Image (ops.HelperImage)
}

// Build builds the one variant of a request and returns what the client's exporters take, and what a user should know. Of the request it takes what says how an image is made: the
// client of the build has the secrets, pushes, and keeps the caches. Errors are faults, as far as the daemon's answers say what is wrong: the output of its steps goes to the client.
func (in *Inside) Build(ctx context.Context, req Request) (*gateway.Result, []string, error) {
	if err := req.Unfit(); err != nil {
		return nil, nil, err
	}
	var notes []string
	run, err := in.start(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	r := runner{run, req.Variants[0], diagnose.NewWatcher(nil)}
	all, err := r.compileAll(ctx, in.Gateway)
	if err == nil {
		var res *gateway.Result
		graphs := make([]publish.Graph, len(all))
		for i, c := range all {
			graphs[i], notes = r.graphOf(c), append(notes, c.found.Notes...)
		}
		if res, err = publish.SolveAll(ctx, in.Gateway, graphs, req.CacheFrom); err == nil {
			return res, notes, nil
		}
	}
	if missing := ungiven(r.w.Failure(err).Name, err); missing != nil {
		return nil, notes, missing
	}
	return nil, notes, run.failed(r.v.Profile, r.w).Explain(err)
}

// ungiven knows that a step wants a secret or an agent that the client does not give. mlbuild asks for it before a build; from inside nobody can.
func ungiven(step string, err error) error {
	if step != "" {
		step = fmt.Sprintf("step %q", step)
	}
	f := fault.New(fault.Secret, "%s", cmp.Or(step, "a step"))
	if m := noSecret.FindStringSubmatch(err.Error()); m != nil {
		f.Message += fmt.Sprintf(" needs the secret %q, which was not given", m[1])
		f.Hint("add --secret id=%s,env=VARIABLE or --secret id=%s,src=FILE", m[1], m[1])
	} else if m := noAgent.FindStringSubmatch(err.Error()); m != nil {
		f.Message += " needs an SSH agent, which was not given"
		f.Hint("add --ssh %s", m[1])
	} else {
		return nil
	}
	f.Err = err
	return f
}

// What BuildKit says of one that is not there (solver/llbsolver/mounts/mount.go, session/sshforward/sshprovider).
var (
	noSecret = lazyregexp.New(`secret ([^ :]+): not found`)
	noAgent  = lazyregexp.New(`(?:unset ssh forward key |no SSH key ")([^ :"]+)`)
)

// start is the start of a run that has neither a connection nor a session of its own.
func (in *Inside) start(ctx context.Context, req Request) (*build, error) {
	d := &daemon.Daemon{Addr: "which this frontend runs on"}
	for _, w := range in.Gateway.BuildOpts().Workers {
		d.Workers = append(d.Workers, &bkclient.WorkerInfo{ID: w.ID, Labels: w.Labels, Platforms: w.Platforms})
	}
	if len(d.Workers) > 0 {
		for _, p := range d.Workers[0].Platforms {
			d.Platforms = append(d.Platforms, platforms.Format(p))
		}
	}
	system, err := req.buildLock()
	if err != nil {
		return nil, err
	}
	run := &build{ctx: ctx, req: req, daemon: d, store: session.Store{}, system: system, inside: in}
	if run.worker, err = New(d).preflight(req, run.store, system); err != nil {
		return nil, err
	}
	if run.reference, err = helpersFor(referencePlatform); err != nil {
		return nil, err
	}
	if run.helpers, err = helpersFor(imageName(run.worker)); err != nil {
		return nil, err
	}
	if in.Image == nil {
		return nil, fault.New(fault.Internal, "the frontend does not know the image that it runs in")
	}
	run.helpers.Image = &ops.HelperImage{Root: in.Image, Program: in.Program, Worker: run.worker}
	return run, nil
}
