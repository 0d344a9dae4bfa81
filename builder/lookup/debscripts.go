package lookup

import (
	"context"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// readScripts puts into the list how each package becomes a layer: a step downloads the packages and reads their maintainer scripts.
func (s System) readScripts(ctx context.Context, r *recipe.Recipe, asked query.SystemInputs, list *buildlock.System) error {
	if len(list.Packages) == 0 || r.Apt.Strategy == "apt" {
		return nil
	}
	in := query.ReadInputs{Base: asked.Base, Worker: s.Worker, Helpers: s.Helpers, NoCache: s.NoCache}
	def, steps, err := query.SystemReading(list, in, asked.Platform)
	if err != nil {
		return err
	}
	s.Logs.Learn(steps)
	ref, err := s.solve(ctx, def, r.Profile, "the ways of the system packages", func(b diagnose.Build, err error) error {
		return b.Download(ctx, s.Gateway, r, systemDownloads(list), err)
	})
	if err != nil {
		return err
	}
	data, err := ReadFile(ctx, ref, query.SystemHandling)
	if err != nil {
		return err
	}
	if err := query.SetHandling(list, data); err != nil {
		return err
	}
	return query.SetAnswered(list, r.Apt)
}
