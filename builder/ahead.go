package builder

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/kept"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/registry"
)

// A build of which nothing is left to be done need not be one to the daemon. So a variant is decided before a build is opened, as far as that goes without the daemon:
// where mlbuild.lock or a digest pins the images, and the client has asked for them before. What was decided serves the build if there is one.

// errAsks is the answer where the daemon would have to be asked.
var errAsks = errors.New("the daemon has to be asked")

// keptGateway is a gateway without a daemon. It knows the images that are kept, by their digests.
type keptGateway struct {
	gateway.Client // nil: look-ups ask for nothing else
	images         kept.Store
}

// Solve makes nothing.
func (keptGateway) Solve(context.Context, gateway.SolveRequest) (*gateway.Result, error) {
	return nil, errAsks
}

// ResolveSourceMetadata returns the config of an image that is named by its digest and kept, and no other source's.
func (g keptGateway) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	ref, image := strings.CutPrefix(op.Identifier, "docker-image://")
	pin := registry.DigestOf(ref)
	if !image || pin == "" || opt.ImageOpt == nil || opt.ImageOpt.Platform == nil {
		return nil, errAsks
	}
	_, config, err := kept.Image(ctx, g.images, pin, *opt.ImageOpt.Platform)
	if err != nil {
		return nil, errAsks
	}
	return &sourceresolver.MetaResponse{Op: op, Image: &sourceresolver.ResolveImageResponse{Digest: digest.Digest(pin), Config: config}}, nil
}

// decideAhead decides what is to be made of a variant of which the daemon need be asked nothing, nil where it must be asked: whatever is wrong it says when it is.
func (m *imageBuild) decideAhead(ctx context.Context) *made {
	all, err := m.decide(ctx, keptGateway{images: m.kept(nil)}, attempt{})
	if err != nil {
		return nil
	}
	all.notes = slices.Clip(all.notes) // attempts add theirs
	return &all
}

// idle reports whether nothing is to be done for a variant but to say where it is.
func (m *imageBuild) idle(all made) bool {
	return all.Plan.Here() != nil && m.req.Target != stageTesting
}

// decidedAhead reports whether an attempt is what was decided ahead.
func (m *imageBuild) decidedAhead(how attempt) bool { return how == (attempt{}) && m.ahead != nil }

// askedAfter returns why an attempt failed. What was decided ahead was begun without a question to the daemon, which may say what is wrong with a base better than the step that
// begins with it.
func (m *imageBuild) askedAfter(ctx context.Context, how attempt, failed error) error {
	if failed == nil || !m.decidedAhead(how) || ctx.Err() != nil {
		return failed
	}
	var wrong error
	_, _ = m.publish.Run(ctx, publish.Run{}, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		_, wrong = m.compileAll(ctx, gw)
		return gateway.NewResult(), wrong
	})
	return cmp.Or(wrong, failed)
}
