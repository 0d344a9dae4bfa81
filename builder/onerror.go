package builder

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/terminal"
)

// OnError opens a shell where the step of a build failed. It is for one run.
type OnError struct {
	Secrets bool // the shell has the step's secrets and agents
	// Open returns the shell's streams. It is told of the failure, and of the place that the shell is in.
	Open func(why error, place string) (Streams, error)

	opened atomic.Bool
}

// How long it is waited for what the daemon says beside its answer: of the end of the progress before a terminal opens, and of a step that failed.
const (
	settling = 2 * time.Second
	hearing  = 500 * time.Millisecond
)

// inFailedStep opens a shell in a step that failed, if somebody wants one: solved is the error of its solve, why that of the build function. A download that is tried again is
// no reason for one.
func (r runner) inFailedStep(ctx context.Context, gw gateway.Client, solved, why error) {
	if r.req.OnError == nil || solved == nil || ctx.Err() != nil || errors.Is(why, errHere) || passes(why) {
		return
	}
	p, ok := terminal.InFailed(solved, r.req.OnError.Secrets)
	if !ok {
		return
	}
	r.w.Hear(solved, hearing)
	place := "the failed step " + r.w.Failure(solved).Name
	if !r.req.OnError.Secrets && terminal.HasSecrets(solved) {
		place += ", without its secrets (--on-error=shell,secrets)"
	}
	r.shell(ctx, gw, p, why, place)
}

// inFailedTests opens a shell on the image whose tests failed, if somebody wants one.
func (m *imageBuild) inFailedTests(ctx context.Context, gw gateway.Client, c platformBuild, imports []Cache, why error) {
	if m.req.OnError == nil || ctx.Err() != nil {
		return
	}
	ref, err := m.graphOf(c).Solve(ctx, gw, c.graph.Definition, imports)
	if err != nil {
		m.req.note("no shell was opened: %v", err)
		return
	}
	p, err := terminal.OnImage(ref, c.graph.Config, nil, false)
	if err != nil {
		m.req.note("no shell was opened: %v", err)
		return
	}
	if c.found.Recipe.Testing.Network {
		p.Network = pb.NetMode_UNSET
	}
	m.shell(ctx, gw, p, why, "the image that the tests ran on, without what they wrote")
}

// shell opens the run's one shell. What keeps it from opening is no fault: the build has one already.
func (r runner) shell(ctx context.Context, gw gateway.Client, p terminal.Program, why error, place string) {
	if r.req.OnError.opened.Swap(true) {
		return
	}
	_, err := terminal.Run(ctx, gw, p, func() (Streams, error) {
		r.quiet()
		return r.req.OnError.Open(r.failed(r.v.Profile, r.w).Explain(why), place)
	})
	if err != nil {
		r.req.note("no shell in %s: %v", place, err)
	}
}
