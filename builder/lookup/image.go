package lookup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Bases asks for a recipe's base, for what lies in it, and for the images beside it.
type Bases struct {
	Daemon
	Lock *buildlock.Lock // the project's mlbuild.lock, which pins images and knows what lies in bases; nil = there is none

	toLock bool // what is found goes into a lock
}

// Base is what is known of a recipe's base and of the images beside it.
type Base struct {
	Image    ops.Base
	Images   map[string]ops.Base // those beside it whose files the recipe takes, by the references there; nil = not asked for
	Contents Contents            // the zero value where nobody asked
	Glibc    string              // of its release; "" = not known
}

// Find looks up the recipe's base and holds it against the tables; images and contents say whether the images beside it are looked up as well, and what lies in it. Errors: those of
// Image and Contents, and of compat.CheckBase.
func (b Bases) Find(ctx context.Context, r *recipe.Recipe, images, contents bool) (Base, error) {
	image, err := b.Image(ctx, r)
	if err != nil {
		return Base{}, err
	}
	base := Base{Image: image}
	if base.Glibc, err = CheckBase(r, "", image); err != nil {
		return Base{}, err
	}
	if images {
		if base.Images, err = b.Images(ctx, r); err != nil {
			return Base{}, err
		}
	}
	if contents {
		base.Contents, err = b.Contents(ctx, r, image)
		base.Glibc = cmp.Or(base.Glibc, base.Contents.Glibc)
	}
	return base, err
}

// Common is what one lock for several platforms has to heed of their bases.
type Common struct {
	Glibc     string            // the oldest, "" = unknown
	Contents  Contents          // of the first, with the lowest version of their Pythons
	Installed []query.Installed // packages that count and that every base has in one version
}

// FindAll looks up the base of every platform of a profile, with what lies in it, and returns what one lock for all of them has to heed. What an older mlbuild.lock does not know of
// a Python is asked anew.
func (b Bases) FindAll(ctx context.Context, recipes []*recipe.Recipe) (c Common, err error) {
	b.Lock, b.toLock = b.Lock.WithFullVersions(), true
	for i, r := range recipes {
		base, err := b.Find(ctx, r, false, true)
		if err != nil {
			return Common{}, err
		}
		installed, err := b.Installed(ctx, r, base.Image, base.Contents)
		if err != nil {
			return Common{}, err
		}
		if c.Glibc == "" || older(base.Glibc, c.Glibc) {
			c.Glibc = base.Glibc
		}
		if i == 0 {
			c.Contents, c.Installed = base.Contents, installed
		}
		c.Contents.FullVersion = lowest(c.Contents.FullVersion, base.Contents.FullVersion)
		c.Installed = inBoth(c.Installed, installed)
	}
	return c, nil
}

// inBoth returns the packages that both lists have in one version.
func inBoth(a, b []query.Installed) []query.Installed {
	return slices.DeleteFunc(slices.Clone(a), func(p query.Installed) bool {
		return !slices.ContainsFunc(b, func(q query.Installed) bool { return p.Name == q.Name && p.Version == q.Version })
	})
}

// lowest is the lower of two whole versions of Python; an unknown one counts as the lowest.
func lowest(a, b string) string {
	v, err := pypi.ParseVersion(a)
	w, other := pypi.ParseVersion(b)
	switch {
	case err != nil || other != nil:
		return ""
	case w.Compare(v) < 0:
		return b
	}
	return a
}

// older compares two glibc versions, "2.31" and "2.36"; an unknown one is never older.
func older(a, b string) bool {
	var x, y int
	if _, err := fmt.Sscanf(a, "2.%d", &x); err != nil {
		return false
	}
	_, err := fmt.Sscanf(b, "2.%d", &y)
	return err == nil && x < y
}

// CheckBase holds a base against the tables, for packages that bring this CUDA ("" = none, or not known yet). It returns the base's glibc, "" = not known. The errors are
// compat.CheckBase's.
func CheckBase(r *recipe.Recipe, cuda string, base ops.Base) (glibc string, err error) {
	return compat.CheckBase(r, cuda, createdBy(base), base.Config.Config.Env)
}

// createdBy lists the commands that made an image, for the tables that know bases by them.
func createdBy(b ops.Base) []string {
	all := make([]string, len(b.Config.History))
	for i, h := range b.Config.History {
		all[i] = h.CreatedBy
	}
	return all
}

// Image looks up a recipe's base by the digest that mlbuild.lock pins it to. One of packages is not looked up. Errors: those of a look-up, fault.Ref, fault.Base, fault.BaseGone
// and fault.Platform.
func (b Bases) Image(ctx context.Context, r *recipe.Recipe) (ops.Base, error) {
	p, err := ParsePlatform(r.Platform)
	if err != nil {
		return ops.Base{}, err
	}
	if r.Base.OfPackages() {
		return ops.NewPackageBase(r, p), nil
	}
	return b.pinned(ctx, r.Base.Ref, p)
}

// Images looks up the images beside the base whose files a recipe takes, each by the digest that mlbuild.lock pins it to. The errors are Image's.
func (b Bases) Images(ctx context.Context, r *recipe.Recipe) (map[string]ops.Base, error) {
	p, err := ParsePlatform(r.Platform)
	if err != nil {
		return nil, err
	}
	found := map[string]ops.Base{}
	for _, ref := range r.Images() {
		m, err := b.pinned(ctx, ref, p)
		if err != nil {
			for _, f := range fault.All(err) {
				f.Hint("%s", whoWants(r, ref))
			}
			return nil, err
		}
		found[ref] = m
	}
	return found, nil
}

// whoWants says what an image of Recipe.Images is for.
func whoWants(r *recipe.Recipe, ref string) string {
	if ref == r.Base.Python {
		return fmt.Sprintf("%s is wanted for its Python, which is laid over the base %s, as that has none of Python %s; another one: base: {python: image}, or {python: distribution}", ref, r.Base.Ref, r.Python.Version)
	}
	for _, b := range r.Build {
		if b.Image == ref {
			return fmt.Sprintf("the build step %s runs in %s", b.Name, ref)
		}
	}
	return "copyFrom takes files of " + ref
}

// pinned looks up an image by the digest that mlbuild.lock pins it to.
func (b Bases) pinned(ctx context.Context, ref string, p ocispecs.Platform) (ops.Base, error) {
	pin := b.Lock.Digest(ref)
	if pin == "" || registry.DigestOf(ref) != "" {
		return b.ImageOf(ctx, ref, p)
	}
	base, err := b.ImageOf(ctx, ref+"@"+pin, p)
	for _, f := range fault.All(err) {
		if f.Code == fault.BaseGone {
			f.Hints = []string{fmt.Sprintf("%s pins it; take what the tag names now: mlbuild lock --upgrade base", buildlock.FileName)}
		}
	}
	return base, err
}

// ImageOf asks the daemon what a reference names on a platform, and pins it to the digest. Errors: fault.Ref, fault.Base, fault.BaseGone, fault.Platform.
func (d Daemon) ImageOf(ctx context.Context, ref string, p ocispecs.Platform) (ops.Base, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ops.Base{}, fault.New(fault.Ref, "base image %q: %w", ref, err)
	}
	full := reference.TagNameOnly(named).String()
	opt := sourceresolver.Opt{
		LogName:  "[base] look up " + full,
		ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &p},
	}
	_, dgst, config, err := sourceresolver.NewImageMetaResolver(d.Gateway).ResolveImageConfig(ctx, full, opt)
	if err != nil {
		return ops.Base{}, diagnose.Image(full, reference.Domain(named), platforms.Format(p), err)
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
