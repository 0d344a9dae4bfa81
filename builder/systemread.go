package builder

import (
	"context"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// readScripts gives each package of s its way: a step downloads the packages and reads their maintainer scripts.
func (b *build) readScripts(ctx context.Context, gw gateway.Client, r *recipe.Recipe, asked query.SystemInputs, s *buildlock.System) error {
	if len(s.Packages) == 0 || r.Apt.Strategy == "apt" {
		return nil
	}
	in := query.ReadInputs{Base: asked.Base, Worker: b.worker, Helpers: b.helpers, NoCache: b.req.NoCache}
	def, steps, err := query.SystemReading(s, in, asked.Platform)
	if err != nil {
		return err
	}
	b.logs(r.Profile).Learn(steps)
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return b.failed(r.Profile).Download(ctx, gw, r, (&found{recipe: r, system: s}).downloads(), err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return fmt.Errorf("the ways of the system packages: %w", err)
	}
	data, err := readFile(ctx, ref, query.SystemWays)
	if err != nil {
		return err
	}
	if err := query.SetWays(s, data); err != nil {
		return err
	}
	return query.SetAnswered(s, r.Apt)
}
