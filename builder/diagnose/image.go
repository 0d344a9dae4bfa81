package diagnose

import (
	"cmp"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var (
	noPlatform = lazyregexp.New(`no match for platform`)
	wrongSum   = lazyregexp.New(`does not match expected checksum|unexpected digest`)
	notFound   = lazyregexp.New(`: not found\s*$`) // containerd's error of that name
)

// Image says why the image of a reference, in the registry at host, cannot be had for a platform, by what the registry answered: registries hide private images behind
// "not found". Errors: fault.Platform, fault.BaseGone, fault.Base, fault.Auth, fault.CA, and what else a network does.
func Image(ref, host, platform string, err error) error {
	msg, a := err.Error(), readAnswer(err)
	home := host
	host = loginHost(cmp.Or(a.host, host))
	switch {
	case noPlatform.MatchString(msg):
		return fault.New(fault.Platform, "%s has no image for %s: %w", ref, platform, err).
			Hint("see what it has with: crane manifest %s", ref)
	case a.token && !a.anon && (a.status == 401 || a.untrusted()):
		return loginFault(a, "cannot look up "+ref+": ", host, err)
	case strings.Contains(ref, "@") && (a.status == 404 || notFound.MatchString(msg) || wrongSum.MatchString(msg)):
		return fault.New(fault.BaseGone, "the pinned image %s is gone or was replaced: %w", ref, err).
			Hint("name a tag, or the digest that the tag has now")
	case a.status == 401, a.status == 403, a.status == 404, a.token && a.status == 0 && a.broken == "", notFound.MatchString(msg):
		return private(ref, host, home, a, err)
	}
	if f := pullFault(a, "cannot look up "+ref+": ", host, err); f != nil {
		return f
	}
	if a.status >= 400 && a.status < 500 {
		return fault.New(fault.Base, "cannot look up %s: %s refuses to say what it is: %w", ref, host, err).Hint("check the name and the tag, and whether %s is a registry", host)
	}
	if f := network(err); f != nil {
		return f
	}
	return fault.New(fault.Base, "cannot look up %s: %w", ref, err).Retryable()
}

// private is an image that is not there, or not for this account. A mirror answers under its own name.
func private(ref, host, home string, a answer, err error) *fault.Fault {
	from := ""
	if host != home {
		from = host + ", which the daemon asks for it, answers that "
	}
	f := fault.New(fault.Base, "cannot find %s: %sit does not exist, or it is private and the credentials of the docker config do not open it: %w", ref, from, err).
		Hint("check the name and the tag").
		Hint("docker login %s, if it is private", host)
	if from != "" && a.status == 401 {
		f.Hint("a mirror of the daemon's configuration gets the credentials of the docker config where --registry-login %s allows it", host)
	}
	return f
}

// pullFault is a registry that fails or asks to slow down while an image is read, nil if that is not it.
func pullFault(a answer, prefix, host string, err error) *fault.Fault {
	switch {
	case a.untrusted():
		if f := loginFault(a, prefix, host, err); f != nil {
			return f
		}
		return transportFault(a, prefix, host, err)
	case a.plainHTTP():
		f := transportFault(a, prefix, host, err)
		f.Code, f.Hints = fault.Base, f.Hints[:1]
		return f
	case a.status == 429:
		return slowDown(fault.New(fault.Base, "%s%s asks to slow down: %w", prefix, host, err), a).
			Hint("with an account the limit is higher: docker login %s", host)
	case a.passes():
		return fault.New(fault.Base, "%s%s does not answer as it should: %w", prefix, host, err).
			Hint("run the same command again: finished steps are cached").Retryable()
	}
	return nil
}

// explainRegistry says what a registry refused during a build, nil if none did.
func (b Build) explainRegistry(output string, err error) *fault.Fault {
	msg, a := err.Error(), readAnswer(err)
	host := loginHost(cmp.Or(a.host, b.Push.host()))
	switch {
	case pushForm.MatchString(msg) && !(a.pulls() && a.host != b.Push.host() && b.Push.Ref != ""), a.sends():
		return b.explainPush(a, output, err)
	case a.token:
		return cmp.Or(loginFault(a, "", host, err), pullFault(a, "cannot log in: ", host, err))
	case a.pulls() && (a.status == 401 || a.status == 403 || a.status == 404):
		return fault.New(fault.Base, "%s does not give out an image's layer: %w", host, err).
			Hint("docker login %s, if it is private; else look whether the registry still has it", host)
	case a.pulls():
		return pullFault(a, "cannot read an image's layer: ", host, err)
	case a.broken != "" && a.method == "" && b.Push.Ref != "" && a.host == b.Push.host(): // no connection came about
		return b.explainPush(a, output, err)
	case a.broken != "" && a.method == "":
		return pullFault(a, "cannot ask a registry: ", host, err)
	}
	return nil
}
