package builder

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

var (
	mismatch = regexp.MustCompile(`digest mismatch sha256:([0-9a-f]{64}): sha256:([0-9a-f]{64})`)
	status   = regexp.MustCompile(`invalid response status (\d{3})`)
)

// explainDownload finds out what a failed download was; other errors it hands on.
func (b *build) explainDownload(ctx context.Context, gw gateway.Client, r *profiles.Recipe, wheels []pylock.Wheel, err error) error {
	if context.Cause(b.ctx) != nil {
		return b.explain(r.Profile, err)
	}
	if sums := mismatch.FindStringSubmatch(err.Error()); sums != nil {
		if w, ok := wheelOf(wheels, sums[1], sums[2]); ok {
			return explainMismatch(ctx, gw, r, w)
		}
		return fault.New(fault.Digest, "a download is not what the lock promises: %w", err)
	}
	step, _ := b.logs(r.Profile).failure(err)
	if name, ok := strings.CutPrefix(step, "[download] "); ok {
		if i := slices.IndexFunc(wheels, func(w pylock.Wheel) bool { return strings.HasPrefix(name, w.Filename) }); i >= 0 {
			return downloadFault(wheels[i], err)
		}
	}
	return b.explain(r.Profile, err)
}

// explainMismatch tells what the server answers. The daemon's HTTP source does not look at status codes where a checksum is given, so an error
// page shows as a digest mismatch without a URL; asking again without a checksum tells the status.
func explainMismatch(ctx context.Context, gw gateway.Client, r *profiles.Recipe, w pylock.Wheel) error {
	op := &pb.SourceOp{Identifier: w.URL}
	if secret := llb.AuthSecret(w, r.Requires.Indexes); secret != "" {
		op.Attrs = map[string]string{pb.AttrHTTPAuthHeaderSecret: secret}
	}
	probe, err := gw.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] what does the server say of " + w.Filename})
	switch {
	case err != nil:
		return downloadFault(w, err)
	case probe.HTTP == nil || probe.HTTP.Digest.Encoded() == w.SHA256:
		return fault.New(fault.Download, "cannot download %s: the server sent something else at first, and now the right file", w.URL).
			Hint("run the same command again").Retryable()
	}
	return fault.New(fault.Digest, "%s has changed: the server sent %s, the lock promises sha256:%s", w.URL, probe.HTTP.Digest, w.SHA256).
		Hint("if the file was republished and you trust it, renew the lock: mlbuild lock --upgrade %s", w.Name)
}

func wheelOf(wheels []pylock.Wheel, sums ...string) (pylock.Wheel, bool) {
	for _, w := range wheels {
		for _, s := range sums {
			if w.SHA256 == s {
				return w, true
			}
		}
	}
	return pylock.Wheel{}, false
}

// downloadFault says what the server answered and what follows from it.
func downloadFault(w pylock.Wheel, err error) *fault.Fault {
	answer := status.FindStringSubmatch(err.Error())
	if answer == nil {
		if f := explainNetwork(err); f != nil && (f.Code == fault.CA || f.Code == fault.Disk) {
			return f
		}
		return fault.New(fault.Download, "cannot download %s: %w", w.URL, err).
			Hint("check that the daemon can reach the server").Retryable()
	}
	f := fault.New(fault.Download, "cannot download %s: the server answers %s", w.URL, answer[1])
	switch code := answer[1]; {
	case code == "401" || code == "403":
		return f.Hint("give the index of %s a secret in mlbuild.yaml and pass it with --secret", w.Name)
	case code == "404" || code == "410":
		return f.Hint("the file is gone from the index; renew the lock: mlbuild lock --upgrade %s", w.Name)
	case code == "429" || code[0] == '5':
		return f.Hint("the server is in trouble; run the same command again later").Retryable()
	}
	return f.Hint("open the URL yourself to see what is wrong with it")
}
