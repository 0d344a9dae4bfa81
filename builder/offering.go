package builder

import (
	"context"
	"sync"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/localfs"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// offering is a daemon's gateway to which definitions go whose local sources the project offers.
type offering struct {
	gateway.Client
	project *localfs.Dir
	failed  *lastError // of a solve
}

// lastError holds the error that came last. The zero value has none.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Solve offers the files that a definition names, and sends it without their names.
func (o offering) Solve(ctx context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	def, selections, err := ops.TakeSelections(req.Definition)
	if err != nil {
		return nil, fault.New(fault.Internal, "read a definition: %w", err)
	}
	for name, s := range selections {
		o.project.Offer(name, s)
	}
	req.Definition = def
	res, err := o.Client.Solve(ctx, req)
	if err != nil && ctx.Err() == nil {
		o.failed.set(err)
	}
	if failed := o.project.Err(); err != nil && failed != nil {
		return nil, fault.New(fault.Context, "a file of the project cannot be sent: %w", failed).Hint("run it again when nothing changes the project's files")
	}
	return res, err
}
