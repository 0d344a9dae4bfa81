package builder

import (
	"context"
	"errors"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/terminal"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Streams are what a program in the daemon reads and writes.
type Streams = terminal.Streams

// Exec is a program to run on an image.
type Exec struct {
	Args    []string // none = a shell
	Own     bool     // the image's entrypoint goes before the args, and its command stands where there are none
	Network bool     // the program has the network that steps have; else it has none
	// Open returns the streams, once, when the image is made and its progress told to its end.
	Open func() (Streams, error)
}

// Exec builds the image of the request's one variant and runs a program on it, in the daemon: as the image's user, with its environment and in its working directory.
// What the program writes is thrown away, and nothing is published. It returns the program's exit code. Errors are those of a build, and
// fault.Usage for several images and where the image has no such program, or no shell.
func (b *Builder) Exec(ctx context.Context, req Request, x Exec) (exit int, err error) {
	if len(req.Variants) != 1 || len(req.Variants[0].Recipes) != 1 {
		return 0, fault.New(fault.Usage, "a program runs on one image, and %d profiles are given", len(req.Variants))
	}
	run, err := b.start(ctx, req, purpose{})
	if err != nil {
		return 0, err
	}
	defer run.close()
	if llb.NeedsPackages(req.Target) {
		if err := run.store.ForSteps(req.recipes(), req.SSH); err != nil {
			return 0, err
		}
	}
	v := req.Variants[0]
	r := runner{run, v, run.req.watch(v.Profile)}
	defer r.w.Close()
	for try := 0; req.Retry.wait(run.ctx, try); try++ {
		if exit, err = r.exec(run.ctx, x); !passes(err) {
			break
		}
	}
	return exit, r.failed(v.Profile, r.w).Explain(b.daemon.Explain(run.ctx, err))
}

// exec is one build whose function runs the program.
func (r runner) exec(ctx context.Context, x Exec) (exit int, err error) {
	_, err = r.run(ctx, publish.Run{}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		all, err := r.compileAll(ctx, gw)
		if err != nil {
			return nil, err
		}
		ref, err := r.graphOf(all[0]).Solve(ctx, gw, all[0].graph.Definition, r.req.CacheFrom)
		if err != nil {
			return nil, err
		}
		p, err := terminal.OnImage(ref, all[0].graph.Config, x.Args, x.Own)
		if err != nil {
			return nil, err
		}
		if x.Network {
			p.Network = pb.NetMode_UNSET
		}
		exit, err = terminal.Run(ctx, gw, p.Beside(all[0].found.Base.Contents.Interpreter), func() (Streams, error) {
			r.quiet()
			return x.Open()
		})
		if fault.Is(err, fault.Usage) && len(x.Args) == 0 && !x.Own {
			err = r.withoutShell(err)
		}
		return gateway.NewResult(), err
	})
	return exit, err
}

// quiet ends what is told of the progress.
func (r runner) quiet() {
	r.w.Settle(settling)
	r.w.Close()
}

// withoutShell names what can be run instead of a shell.
func (r runner) withoutShell(err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return err
	}
	f.Hint("name a program of the image: mlbuild exec -- python")
	if app := r.v.Recipes[0].App; len(app.Command) > 0 {
		f.Hint("the image's own command is: %s", strings.Join(append(app.Entrypoint, app.Command...), " "))
	}
	return f
}
