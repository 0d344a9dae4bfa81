package diagnose

import (
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// pushing reports that the text is about a push.
var pushing = lazyregexp.New(`failed to push|unexpected status from (PUT|POST|PATCH) request|server message: .*push`)

// pushRules know what registries answer to a push: as containerd words a status (core/remotes/errors), and as the error codes of the OCI
// distribution spec come out of it (core/remotes/docker/errcode.go). A number alone would match ports and digests.
var pushRules = []rule{
	{match: lazyregexp.New(`request to \S+: (413|507) |(?i)\bquota\b|exceed the configured upper limit|size invalid: `), code: fault.Registry,
		say:   "the registry takes no more data",
		hints: []string{"free space or raise the quota; a smaller layer helps against a size limit: layers in mlbuild.yaml"}},
	{match: lazyregexp.New(`request to \S+: 401 |\bunauthorized: |no basic auth credentials|authorization failed|failed to authorize`), code: fault.Auth,
		say: "the registry rejected the credentials", hints: []string{"docker login, with an account that may push"}},
	{match: lazyregexp.New(`request to \S+: 403 |\bdenied: |insufficient_scope`), code: fault.Denied,
		say: "the registry refuses these credentials", hints: []string{"ask for the right to push to this repository"}},
	{match: lazyregexp.New(`request to \S+: 429 |\btoomanyrequests: `), code: fault.Registry, say: "the registry asks to slow down", retry: true,
		hints: []string{"run the same command again later: finished steps are cached"}},
	{match: lazyregexp.New(`request to \S+: 404 |name not known to registry|repository .* does not exist`), code: fault.Registry, say: "the registry has no such repository",
		hints: []string{"create the repository first, or check its name"}},
	{match: lazyregexp.New(`request to \S+: 5\d\d |\bunavailable: |EOF|connection refused|connection reset|broken pipe|i/o timeout|no such host`), code: fault.Registry,
		say: "the registry failed", retry: true, hints: []string{"run the same command again: finished steps are cached"}},
}

// explainPush says why a push failed. Where the registry's own words hide its status, what the exporter logged before it gave up tells it.
func explainPush(profile, output string, err error) *fault.Fault {
	prefix := "push of profile " + profile + ": "
	for _, text := range []string{err.Error(), output} {
		if f := apply(pushRules, text, err, prefix); f != nil {
			return f
		}
	}
	return fault.New(fault.Registry, "%sthe registry refuses it: %w", prefix, err).
		Hint("the registry's own log may say more; check the name of the repository and who may push to it")
}
