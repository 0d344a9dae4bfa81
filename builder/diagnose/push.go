package diagnose

import (
	"cmp"
	"net/http"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Target is what a build pushes.
type Target struct {
	Ref   string       // the first tag, "" = nothing is pushed
	Taken bool         // the tag names another image
	Ask   func() error // asks the registry from here whether it takes uploads: its answer comes typed; nil = it cannot be asked
}

// explainPush says why a push failed. Where the registry's words hide its status, it is what the daemon noted before it tried again, or what the registry
// answers the client.
func (b Build) explainPush(a answer, output string, err error) *fault.Fault {
	if a.status == 0 && a.broken == "" {
		a = b.lookBehind(a, output)
	}
	prefix, host := "push of profile "+b.Profile+": ", loginHost(cmp.Or(a.host, b.Push.host(), "HOST"))
	if f := loginFault(a, prefix, host, err); f != nil {
		return f
	}
	a = a.without(b.Push.Ref)
	switch {
	case a.untrusted() || a.plainHTTP():
		return transportFault(a, prefix, host, err)
	case a.full():
		return fault.New(fault.Registry, "%sthe registry takes no more data: %w", prefix, err).
			Hint("free space or raise the quota; a smaller layer helps against a size limit: layers in mlbuild.yaml")
	case a.status == 403:
		return fault.New(fault.Denied, "%sthe registry refuses these credentials: %w", prefix, err).
			Hint("ask for the right to push to this repository, which may also have to be created first; another account: docker login %s", host)
	case a.status == 429:
		return slowDown(fault.New(fault.Registry, "%sthe registry asks to slow down: %w", prefix, err), a).
			Hint("run the same command again later: finished steps are cached")
	case a.status == 404:
		return fault.New(fault.Registry, "%sthe registry has no such repository: %w", prefix, err).Hint("create the repository or its project first, or check its name")
	case a.passes():
		return fault.New(fault.Registry, "%sthe registry failed: %w", prefix, err).Hint("run the same command again: finished steps are cached").Retryable()
	}
	return b.refused(a, fault.New(fault.Registry, "%sthe registry refuses it%s: %w", prefix, b.immutable(a), err))
}

// lookBehind finds the status behind an answer that does not say it.
func (b Build) lookBehind(a answer, output string) answer {
	if before, ok := retried(output); ok {
		before.said = cmp.Or(a.said, before.said)
		return before
	}
	if a.said == nameUnknown {
		a.status = 404
	}
	if a.status != 0 || b.Push.Ask == nil {
		return a
	}
	if err := b.Push.Ask(); err != nil {
		if asked, ok := typedAnswer(err); ok {
			asked.said = cmp.Or(a.said, asked.said)
			return asked
		}
	}
	return a
}

// nameUnknown is the message of the distribution spec's code NAME_UNKNOWN, of which containerd passes on nothing else.
const nameUnknown = "repository name not known to registry"

// mediaTypes is how registries name what they do not know.
var mediaTypes = lazyregexp.New(`(?i)media ?type|\bzstd\b`)

// fixed is how registries say that what is there is not replaced.
var fixed = lazyregexp.New(`(?i)immutab|cannot be overwritten|not be overwritten|already exists`)

// immutable names the reason of a refusal that is about a tag or digest which the registry does not overwrite, "" where it is about something else.
func (b Build) immutable(a answer) string {
	conflict := a.status == http.StatusConflict || a.status == http.StatusPreconditionFailed
	switch {
	case b.Push.Taken && (conflict || fixed.MatchString(a.said)):
		return ", because the tag is immutable and names another image"
	case fixed.MatchString(a.said):
		return ", because the tag or digest is immutable"
	}
	return ""
}

// refused adds to a refusal for reasons of the registry's own what may help.
func (b Build) refused(a answer, f *fault.Fault) *fault.Fault {
	if b.Push.Taken {
		f.Hint("the tag names another image already: where tags are immutable, push under a new one")
	}
	if mediaTypes.MatchString(a.said) {
		f.Hint("a registry that knows no zstd takes other layers: --compression gzip")
	}
	return f.Hint("the registry's own log may say more; check the name of the repository and who may push to it")
}

// loginFault is the fault of an account that is missing or wrong, nil if it is none.
func loginFault(a answer, prefix, host string, err error) *fault.Fault {
	refused := a.status == 401 || a.token && (a.status == 0 && a.broken == "" || a.status >= 400 && a.status < 500 && a.status != 429)
	switch {
	case refused && a.anon:
		return fault.New(fault.Auth, "%s%s wants a login, and there is none: %w", prefix, host, err).Hint("docker login %s", host)
	case refused:
		return fault.New(fault.Auth, "%sthe registry rejected the credentials for %s: %w", prefix, host, err).Hint("docker login %s, with an account that may push", host)
	case a.token && a.untrusted():
		return fault.New(fault.CA, "%smlbuild itself does not trust the certificate of the service where it logs in at %s: %w", prefix, host, err).
			Hint("give its CA with --ca-cert or SSL_CERT_FILE")
	}
	return nil
}

// slowDown makes a fault that passes of one with a 429.
func slowDown(f *fault.Fault, a answer) *fault.Fault {
	if a.wait != "" {
		f.Hint("the registry says when to come again, Retry-After: %s", a.wait)
	}
	return f.Retryable()
}

// transportFault is a server that the daemon cannot talk to as it tries to.
func transportFault(a answer, prefix, host string, err error) *fault.Fault {
	if a.untrusted() {
		f := fault.New(fault.CA, "%sthe daemon does not trust the certificate of %s: %w", prefix, host, err)
		f.Hints = caHints
		return f
	}
	return fault.New(fault.Registry, "%s%s speaks plain http, and the daemon asks by https: %w", prefix, host, err).
		Hint("say so in the daemon's buildkitd.toml (of the local daemon: --daemon-config FILE):\n[registry.%q]\n  http = true", host).
		Hint("for the push alone: --output type=registry,registry.insecure=true")
}
