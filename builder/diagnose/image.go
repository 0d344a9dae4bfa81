package diagnose

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// notFound and denied are how registries and BuildKit's resolver word what became of an image.
var (
	notFound   = lazyregexp.New(`not found|manifest unknown|name unknown|404`)
	denied     = lazyregexp.New(`unauthorized|authorization failed|access denied|insufficient_scope|403|401`)
	noPlatform = lazyregexp.New(`no match for platform`)
	wrongSum   = lazyregexp.New(`does not match expected checksum|unexpected digest`)
)

// Image says why the image of a reference, in the registry at host, cannot be had for a platform: registries hide private images behind "not found".
func Image(ref, host, platform string, err error) error {
	msg := err.Error()
	switch {
	case noPlatform.MatchString(msg):
		return fault.New(fault.Platform, "%s has no image for %s: %w", ref, platform, err).
			Hint("see what it has with: crane manifest %s", ref)
	case strings.Contains(ref, "@") && (notFound.MatchString(msg) || wrongSum.MatchString(msg)):
		return fault.New(fault.BaseGone, "the pinned image %s is gone or was replaced: %w", ref, err).
			Hint("name a tag, or the digest that the tag has now")
	case denied.MatchString(msg), notFound.MatchString(msg):
		return fault.New(fault.Base, "cannot find %s: it does not exist, or it is private and the credentials of the docker config do not open it: %w", ref, err).
			Hint("check the name and the tag").
			Hint("docker login %s, if it is private", host)
	}
	if f := network(err); f != nil {
		return f
	}
	return fault.New(fault.Base, "cannot look up %s: %w", ref, err).Retryable()
}
