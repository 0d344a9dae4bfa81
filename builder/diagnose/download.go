package diagnose

import (
	"context"
	"slices"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var (
	mismatch = lazyregexp.New(`digest mismatch sha256:([0-9a-f]{64}): sha256:([0-9a-f]{64})`)
	status   = lazyregexp.New(`invalid response status (\d{3})( [A-Z][A-Za-z]+)?`)
)

// Download is a file that a graph fetches, with what helps where it cannot.
type Download struct {
	URL, SHA256 string
	File        string // by which the step is named
	Secret      string // id of the secret with the Authorization header, "" = none
	Renew       string // command that makes the lock anew
	Account     string // what to do where the server wants credentials
	Gone        string // what to do where the file is gone
}

// Download finds out which of all downloads of a recipe's graph has failed, and why; other errors it explains as Explain does.
func (b Build) Download(ctx context.Context, gw gateway.Client, r *recipe.Recipe, all []Download, err error) error {
	if b.Stopped != nil {
		return b.Explain(err)
	}
	if sums := mismatch.FindStringSubmatch(err.Error()); sums != nil {
		if i := slices.IndexFunc(all, func(d Download) bool { return slices.Contains(sums[1:], d.SHA256) }); i >= 0 {
			return explainMismatch(ctx, gw, all[i])
		}
		return fault.New(fault.Digest, "a download is not what the lock promises: %w", err)
	}
	failed := b.Logs.Failure(err)
	switch failed.step.Kind {
	case ops.StepModelGit:
		if model := modelOf(r, failed.step.Name); model != nil {
			return b.ModelGit(model, err)
		}
	case ops.StepUnpackModel:
		if f := unpackFault(modelOf(r, failed.step.Name), failed.Output); f != nil {
			return f
		}
	case ops.StepDownload, ops.StepFetchModel:
		i := slices.IndexFunc(all, func(d Download) bool { return d.File == failed.step.Name })
		switch {
		case i < 0:
		case failed.step.Kind == ops.StepFetchModel:
			return modelStepFault(all[i], failed.Output, err)
		default:
			return downloadFault(all[i], err)
		}
	}
	return b.Explain(err)
}

// explainMismatch tells what the server answers. The daemon's HTTP source does not look at status codes where a checksum is given, so an error
// page shows as a digest mismatch without a URL; asking again without a checksum tells the status.
func explainMismatch(ctx context.Context, gw gateway.Client, d Download) error {
	op := &pb.SourceOp{Identifier: d.URL}
	if d.Secret != "" {
		op.Attrs = map[string]string{pb.AttrHTTPAuthHeaderSecret: d.Secret}
	}
	probe, err := gw.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] what does the server say of " + d.File})
	switch {
	case err != nil:
		return downloadFault(d, err)
	case probe.HTTP == nil || probe.HTTP.Digest.Encoded() == d.SHA256:
		return fault.New(fault.Download, "cannot download %s: the server sent something else at first, and now the right file", d.URL).
			Hint("run the same command again").Retryable()
	}
	return fault.New(fault.Digest, "%s has changed: the server sent %s, the lock promises sha256:%s", d.URL, probe.HTTP.Digest, d.SHA256).
		Hint("if the file was republished and you trust it, renew the lock: %s", d.Renew)
}

// downloadFault says what the server answered and what follows from it.
func downloadFault(d Download, err error) *fault.Fault {
	answer := status.FindStringSubmatch(err.Error())
	if answer == nil {
		if f := network(err); f != nil && (f.Code == fault.CA || f.Code == fault.Disk) {
			return f
		}
		return fault.New(fault.Download, "cannot download %s: %w", d.URL, err).
			Hint("check that the daemon can reach the server").Retryable()
	}
	f := fault.New(fault.Download, "cannot download %s: the server answers %s", d.URL, answer[1]+answer[2])
	switch code := answer[1]; {
	case code == "401" || code == "403":
		return f.Hint("%s", d.Account)
	case code == "404" || code == "410":
		return f.Hint("%s", d.Gone)
	case code == "429" || code[0] == '5':
		return f.Hint("the server returned an error; run the same command again later").Retryable()
	}
	return f.Hint("open the URL yourself to see what is wrong with it")
}

// Fetch says why a download failed that is known before the graph is.
func (b Build) Fetch(d Download, err error) error {
	if b.Stopped != nil {
		return b.Explain(err)
	}
	return downloadFault(d, err)
}
