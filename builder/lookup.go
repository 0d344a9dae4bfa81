package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// lookupImage asks the daemon what a reference names on a platform, and pins it to the digest. Errors: fault.Ref, fault.Base,
// fault.BaseGone, fault.Platform.
func lookupImage(ctx context.Context, gw gateway.Client, ref string, p ocispecs.Platform) (ops.Base, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ops.Base{}, fault.New(fault.Ref, "base image %q: %w", ref, err)
	}
	full := reference.TagNameOnly(named).String()
	opt := sourceresolver.Opt{
		LogName:  "[base] look up " + full,
		ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &p},
	}
	_, dgst, config, err := sourceresolver.NewImageMetaResolver(gw).ResolveImageConfig(ctx, full, opt)
	if err != nil {
		return ops.Base{}, explainBase(full, platforms.Format(p), err)
	}
	b := ops.Base{Ref: full}
	if _, pinned := named.(reference.Digested); !pinned {
		b.Ref = full + "@" + dgst.String()
	}
	if err := json.Unmarshal(config, &b.Config); err != nil {
		return ops.Base{}, fault.New(fault.Base, "the config of %s is not JSON: %w", full, err)
	}
	if got := b.Config.Architecture; got != "" && got != p.Architecture {
		return ops.Base{}, fault.New(fault.Platform, "%s has no image for %s, only %s/%s", full, platforms.Format(p), b.Config.OS, got).
			Hint("choose a base that has this platform, or leave it out of --platform")
	}
	b.Distro = distro(b)
	return b, nil
}

var suite = lazyregexp.New(`debian\.sh .*'(bullseye|bookworm|trixie|forky|sid)'|org.opencontainers.image.version=([0-9.]+)`)

// distro reads the distribution off the image's own description: the history that the Debian images carry, the version label of
// the Ubuntu ones. "" = unknown.
func distro(b ops.Base) string {
	for _, h := range b.Config.History {
		if m := suite.FindStringSubmatch(h.CreatedBy); m != nil && m[1] != "" {
			return "debian-" + m[1]
		}
	}
	labels := b.Config.Config.Labels
	if v := labels["org.opencontainers.image.version"]; v != "" && labels["org.opencontainers.image.ref.name"] == "ubuntu" {
		return "ubuntu-" + v
	}
	return ""
}

// history lists the commands that made an image, for the tables that know bases by them.
func createdBy(b ops.Base) []string {
	all := make([]string, len(b.Config.History))
	for i, h := range b.Config.History {
		all[i] = h.CreatedBy
	}
	return all
}

// notFound and denied are how registries and BuildKit's resolver word what became of a base.
var (
	notFound   = lazyregexp.New(`not found|manifest unknown|name unknown|404`)
	denied     = lazyregexp.New(`unauthorized|authorization failed|access denied|insufficient_scope|403|401`)
	noPlatform = lazyregexp.New(`no match for platform`)
	wrongSum   = lazyregexp.New(`does not match expected checksum|unexpected digest`)
)

// explainBase says why a base cannot be had, in words: registries hide private images behind "not found".
func explainBase(ref, platform string, err error) error {
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
			Hint("docker login %s, if it is private", registry.Host(ref))
	}
	if f := diagnose.Network(err); f != nil {
		return f
	}
	return fault.New(fault.Base, "cannot look up %s: %w", ref, err).Retryable()
}

// parsePlatform reads "linux/arm64".
func parsePlatform(s string) (ocispecs.Platform, error) {
	p, err := platforms.Parse(s)
	if err != nil {
		return p, fault.New(fault.Platform, "platform %q: %w", s, err)
	}
	return platforms.Normalize(p), nil
}

func imageName(p ocispecs.Platform) string { return fmt.Sprintf("%s/%s", p.OS, p.Architecture) }
