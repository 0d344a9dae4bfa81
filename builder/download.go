package builder

import (
	"context"
	"slices"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var (
	mismatch = lazyregexp.New(`digest mismatch sha256:([0-9a-f]{64}): sha256:([0-9a-f]{64})`)
	status   = lazyregexp.New(`invalid response status (\d{3})( [A-Z][A-Za-z]+)?`)
)

// download is a file that a graph fetches, with what helps where it cannot.
type download struct {
	url, sha256 string
	file        string // by which the step is named
	secret      string // id of the secret with the Authorization header, "" = none
	renew       string // command that makes the lock anew
	account     string // what to do where the server wants credentials
	gone        string // what to do where the file is gone
}

// downloads lists what the graph fetches.
func (c *found) downloads() []download {
	var all []download
	for _, w := range fetched(slices.Concat(c.wheels, c.extra)) {
		renew := "mlbuild lock --upgrade " + w.Name
		all = append(all, download{
			url: w.URL, sha256: w.SHA256, file: w.Filename, secret: ops.AuthSecret(w, c.recipe.Requires.Indexes), renew: renew,
			account: "give the index of " + w.Name + " a secret in mlbuild.yaml and pass it with --secret",
			gone:    "the file is gone from the index; renew the lock: " + renew,
		})
	}
	all = append(all, modelDownloads(c.recipe, c.models)...)
	if c.system == nil {
		return all
	}
	const renew = "mlbuild lock --upgrade system"
	for _, p := range c.system.Packages {
		all = append(all, download{
			url: p.URL, sha256: p.SHA256, file: p.File(), renew: renew,
			account: "repositories with a password are not supported: use one without, or a mirror of it",
			gone:    "mirrors delete old versions; take the ones that they have now: " + renew + "; system.snapshot names a service that keeps all of them",
		})
	}
	return all
}

// explainDownload finds out what a failed download was; other errors it hands on.
func (b *build) explainDownload(ctx context.Context, gw gateway.Client, c *found, err error) error {
	profile := c.recipe.Profile
	if context.Cause(b.ctx) != nil {
		return b.explain(profile, err)
	}
	all := c.downloads()
	if sums := mismatch.FindStringSubmatch(err.Error()); sums != nil {
		if i := slices.IndexFunc(all, func(d download) bool { return slices.Contains(sums[1:], d.sha256) }); i >= 0 {
			return explainMismatch(ctx, gw, all[i])
		}
		return fault.New(fault.Digest, "a download is not what the lock promises: %w", err)
	}
	failed := b.logs(profile).failure(err)
	switch failed.step.Kind {
	case ops.StepModelGit:
		if model := modelOf(c.recipe, failed.step.Name); model != nil {
			return b.gitFault(profile, model, err)
		}
	case ops.StepUnpackModel:
		if f := unpackFault(modelOf(c.recipe, failed.step.Name), failed.output); f != nil {
			return f
		}
	case ops.StepDownload, ops.StepFetchModel:
		i := slices.IndexFunc(all, func(d download) bool { return d.file == failed.step.Name })
		switch {
		case i < 0:
		case failed.step.Kind == ops.StepFetchModel:
			return modelStepFault(all[i], failed.output, err)
		default:
			return downloadFault(all[i], err)
		}
	}
	return b.explain(profile, err)
}

// explainMismatch tells what the server answers. The daemon's HTTP source does not look at status codes where a checksum is given, so an error
// page shows as a digest mismatch without a URL; asking again without a checksum tells the status.
func explainMismatch(ctx context.Context, gw gateway.Client, d download) error {
	op := &pb.SourceOp{Identifier: d.url}
	if d.secret != "" {
		op.Attrs = map[string]string{pb.AttrHTTPAuthHeaderSecret: d.secret}
	}
	probe, err := gw.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] what does the server say of " + d.file})
	switch {
	case err != nil:
		return downloadFault(d, err)
	case probe.HTTP == nil || probe.HTTP.Digest.Encoded() == d.sha256:
		return fault.New(fault.Download, "cannot download %s: the server sent something else at first, and now the right file", d.url).
			Hint("run the same command again").Retryable()
	}
	return fault.New(fault.Digest, "%s has changed: the server sent %s, the lock promises sha256:%s", d.url, probe.HTTP.Digest, d.sha256).
		Hint("if the file was republished and you trust it, renew the lock: %s", d.renew)
}

// downloadFault says what the server answered and what follows from it.
func downloadFault(d download, err error) *fault.Fault {
	answer := status.FindStringSubmatch(err.Error())
	if answer == nil {
		if f := explainNetwork(err); f != nil && (f.Code == fault.CA || f.Code == fault.Disk) {
			return f
		}
		return fault.New(fault.Download, "cannot download %s: %w", d.url, err).
			Hint("check that the daemon can reach the server").Retryable()
	}
	f := fault.New(fault.Download, "cannot download %s: the server answers %s", d.url, answer[1]+answer[2])
	switch code := answer[1]; {
	case code == "401" || code == "403":
		return f.Hint("%s", d.account)
	case code == "404" || code == "410":
		return f.Hint("%s", d.gone)
	case code == "429" || code[0] == '5':
		return f.Hint("the server is in trouble; run the same command again later").Retryable()
	}
	return f.Hint("open the URL yourself to see what is wrong with it")
}
