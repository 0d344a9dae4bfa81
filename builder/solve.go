package builder

import (
	"context"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// platformBuild is one platform's image: what was found for it, and its graph.
type platformBuild struct {
	found
	inputs llb.Inputs
	graph  *llb.Graph
}

// compile looks up what one platform needs and makes its graph.
func (b *build) compile(ctx context.Context, gw gateway.Client, r *recipe.Recipe, lock *pylock.Lock) (platformBuild, error) {
	f, err := b.lookup(ctx, gw, r, lock)
	if err != nil {
		return platformBuild{}, err
	}
	in := llb.Inputs{
		Build: f.tools,
		Base:  f.base, Interpreter: f.inBase.interpreter, Env: f.env, Images: f.images, Wheels: f.wheels, Extra: f.extra, System: f.system, Models: f.models, Tool: f.modelTool, Worker: b.worker, Helpers: b.helpers, Reference: b.reference, Network: b.network(),
		Session: b.session(b.locals), Epoch: b.req.Epoch, Target: recipe.Stage(b.req.Target), NoCache: b.req.NoCache,
	}
	if len(r.Steps()) > 0 {
		if err := addSteps(&in, imageName(b.worker), r.Platform); err != nil {
			return platformBuild{}, err
		}
	}
	graph, err := llb.Compile(f.recipe, in)
	if err != nil {
		return platformBuild{}, err
	}
	b.logs(r.Profile).Learn(graph.Steps)
	return platformBuild{f, in, graph}, nil
}

// addSteps adds the program that runs a project's steps, for the daemon's platform and for the image's.
func addSteps(in *llb.Inputs, worker, platform string) (err error) {
	if in.Helpers.OwnSteps, err = helper.Digest(helper.Steps, worker); err != nil {
		return err
	}
	if in.Reference.OwnSteps, err = helper.Digest(helper.Steps, referencePlatform); err != nil {
		return err
	}
	in.Helpers.Steps, err = helper.Digest(helper.Steps, platform)
	in.Reference.Steps = in.Helpers.Steps
	return err
}

// session names the session of the local files in the graph, unless another client is to send it.
func (b *build) session(l *session.Files) ops.Session {
	if b.purpose.portable || l == nil {
		return ops.Session{SharedKey: b.sharedKey()}
	}
	return ops.Session{ID: l.ID(), SharedKey: b.sharedKey()}
}
