package lookup

import (
	"slices"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Downloads lists what the graph fetches, each with what helps where it fails.
func (f Found) Downloads() []diagnose.Download {
	return slices.Concat(wheelDownloads(f.Recipe, f.Packages.All()), modelDownloads(f.Recipe, f.Models), systemDownloads(f.System.List))
}

func wheelDownloads(r *recipe.Recipe, wheels []pylock.Wheel) []diagnose.Download {
	var all []diagnose.Download
	for _, w := range fetched(wheels) {
		renew := "mlbuild lock --upgrade " + w.Name
		all = append(all, diagnose.Download{
			URL: w.URL, SHA256: w.SHA256, File: w.Filename, Secret: ops.AuthSecret(w, r.Requires.Indexes), Renew: renew,
			Account: "give the index of " + w.Name + " a secret in mlbuild.yaml and pass it with --secret",
			Gone:    "the file is gone from the index; renew the lock: " + renew,
		})
	}
	return all
}

// fetched are the files that a build downloads: wheels, and source archives in the form of one.
func fetched(wheels []pylock.Wheel) []pylock.Wheel {
	var all []pylock.Wheel
	for _, w := range wheels {
		if s := w.Source; s != nil {
			w.Filename, w.URL, w.SHA256, w.Size = s.Name, s.URL, s.SHA256, s.Size
		}
		if w.URL != "" && w.SHA256 != "" {
			all = append(all, w)
		}
	}
	return all
}

// systemDownloads lists the .debs of a list, nil = there is none.
func systemDownloads(list *buildlock.System) []diagnose.Download {
	if list == nil {
		return nil
	}
	const renew = "mlbuild lock --upgrade system"
	var all []diagnose.Download
	for _, p := range list.Packages {
		all = append(all, diagnose.Download{
			URL: p.URL, SHA256: p.SHA256, File: p.File(), Renew: renew,
			Account: "repositories with a password are not supported: use one without, or a mirror of it",
			Gone:    "mirrors delete old versions; take the ones that they have now: " + renew + "; system.snapshot names a service that keeps all of them",
		})
	}
	return all
}
