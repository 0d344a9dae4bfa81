package builder

import (
	"slices"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// downloads lists what the graph fetches.
func (c *found) downloads() []diagnose.Download {
	var all []diagnose.Download
	for _, w := range fetched(slices.Concat(c.wheels, c.extra)) {
		renew := "mlbuild lock --upgrade " + w.Name
		all = append(all, diagnose.Download{
			URL: w.URL, SHA256: w.SHA256, File: w.Filename, Secret: ops.AuthSecret(w, c.recipe.Requires.Indexes), Renew: renew,
			Account: "give the index of " + w.Name + " a secret in mlbuild.yaml and pass it with --secret",
			Gone:    "the file is gone from the index; renew the lock: " + renew,
		})
	}
	all = append(all, modelDownloads(c.recipe, c.models)...)
	if c.system == nil {
		return all
	}
	const renew = "mlbuild lock --upgrade system"
	for _, p := range c.system.Packages {
		all = append(all, diagnose.Download{
			URL: p.URL, SHA256: p.SHA256, File: p.File(), Renew: renew,
			Account: "repositories with a password are not supported: use one without, or a mirror of it",
			Gone:    "mirrors delete old versions; take the ones that they have now: " + renew + "; system.snapshot names a service that keeps all of them",
		})
	}
	return all
}
