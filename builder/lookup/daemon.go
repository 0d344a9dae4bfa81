package lookup

import (
	"context"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// Daemon is through what all questions of one build go.
type Daemon struct {
	Gateway gateway.Client
	Worker  ocispecs.Platform // the daemon's own platform
	Network ops.Network       // of the steps that have one
	NoCache ops.NoCache       // their steps run again
	Logs    *diagnose.Watcher // what the build's steps say
	Stopped func() error      // why the run ended, nil = it goes on
}

// failed is what is known of a profile's build now that a question failed.
func (d Daemon) failed(profile string) diagnose.Build {
	return diagnose.Build{Profile: profile, Stopped: d.Stopped(), Logs: d.Logs}
}

// solve has the daemon make a definition for a profile, and returns its result, which what names. explain says why the daemon could not.
func (d Daemon) solve(ctx context.Context, def *pb.Definition, profile, what string, explain func(diagnose.Build, error) error) (gateway.Reference, error) {
	res, err := d.Gateway.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return nil, explain(d.failed(profile), err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return ref, nil
}

// Read has the daemon make a definition for a profile, and returns a file of the result, which what names. Errors are those of diagnose.Build.Explain.
func (d Daemon) Read(ctx context.Context, def *pb.Definition, profile, what, file string) ([]byte, error) {
	ref, err := d.solve(ctx, def, profile, what, diagnose.Build.Explain)
	if err != nil {
		return nil, err
	}
	return ReadFile(ctx, ref, file)
}

// ReadFile reads a file of a result in pieces, because one answer may hold at most 16 MiB.
func ReadFile(ctx context.Context, ref gateway.Reference, name string) ([]byte, error) {
	const piece = 8 << 20
	var all []byte
	for {
		part, err := ref.ReadFile(ctx, gateway.ReadRequest{Filename: name, Range: &gateway.FileRange{Offset: len(all), Length: piece}})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, part...)
		if len(part) < piece {
			return all, nil
		}
	}
}
