package builder

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// usableLocks reads the variant's Python lock, and holds both locks against today's project.
func (b *build) usableLocks(v Variant) (*pylock.Lock, error) {
	lock, err := usableLock(b.req, v)
	var faults fault.List
	if b.req.Target != "models" {
		faults = append(fault.All(err), fault.All(checkBuildLock(b.req, b.system, v))...)
	}
	if b.req.Target != "base" && b.req.Target != "builder" {
		faults = append(faults, fault.All(checkModelLock(b.req, b.system, v))...)
	}
	return lock, faults.Err()
}

// checkBuildLock reports whether mlbuild.lock answers the variant: its base and its system packages on every platform. What is stale or missing is a
// fault.LockStale under --locked, else a note. Without the file only system packages need one.
func checkBuildLock(req Request, lock *buildlock.Lock, v Variant) error {
	for _, r := range v.Recipes {
		reason := systemStale(lock, r)
		switch {
		case reason == "" && req.Locked && lock == nil && moves(r) != "":
			return fault.New(fault.LockStale, "%s is a mutable tag that mlbuild.lock does not pin, and --locked forbids resolving it", moves(r)).
				In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", v.Profile).Hint("or name the image by its digest")
		case reason == "":
			continue
		case req.Locked && lock == nil:
			what := "the system packages of profile " + v.Profile + " have no lock"
			if ref := unpinned(nil, r); ref != "" {
				what = "profile " + v.Profile + " takes files of " + ref + ", which no lock pins"
			}
			return fault.New(fault.LockStale, "%s, and --locked forbids resolving", what).
				In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", v.Profile)
		case req.Locked:
			return fault.New(fault.LockStale, "the lock does not fit profile %s any more: %s", v.Profile, reason).
				In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", v.Profile)
		case lock != nil:
			req.note("%s does not fit profile %s (%s) and is not used for it; renew it with: mlbuild lock --profile %s", buildlock.FileName, v.Profile, reason, v.Profile)
			return nil
		}
	}
	return nil
}

// moves returns the base that a recipe names without its digest, "" if it has none.
func moves(r *recipe.Recipe) string {
	if r.Base.Bare() || registry.DigestOf(r.Base.Ref) != "" {
		return ""
	}
	return r.Base.Ref
}

// systemStale says in words what of the recipe the lock does not answer, "" if nothing.
func systemStale(lock *buildlock.Lock, r *recipe.Recipe) string {
	pinned := pinOf(lock, r.Base.Ref)
	if lock != nil && pinned == "" && !r.Base.Bare() {
		return "it does not pin the base " + r.Base.Ref
	}
	if ref := unpinned(lock, r); ref != "" {
		return "it does not pin the image " + ref
	}
	if len(r.System) == 0 || lock == nil && r.Apt.Strategy == "apt" {
		return ""
	}
	_, reason := lock.Lookup(question(r, pinned))
	return reason
}

// unpinned is the first image beside the base that the recipe takes files of and nothing pins, "" if there is none.
func unpinned(lock *buildlock.Lock, r *recipe.Recipe) string {
	i := slices.IndexFunc(r.Images(), func(ref string) bool { return pinOf(lock, ref) == "" })
	if i < 0 {
		return ""
	}
	return r.Images()[i]
}

// runsApt reports whether a build of the recipe runs apt or dpkg on the base: to choose packages that no lock lists, or to configure some.
func runsApt(r *recipe.Recipe, lock *buildlock.Lock, target string) bool {
	if r.Base.Bare() {
		return false // apt runs in the tool image, and dpkg nowhere
	}
	if target == "builder" {
		return len(r.Builder.System) > 0
	}
	if target == "dev" && len(llb.DevPackages(r)) > 0 {
		return true
	}
	if target == "base" || target == "models" || len(r.System) == 0 {
		return false
	}
	s, reason := lock.Lookup(question(r, pinOf(lock, r.Base.Ref)))
	return reason != "" || r.Apt.Strategy == "apt" || slices.ContainsFunc(s.Packages, func(p buildlock.Package) bool { return p.Way == buildlock.Dpkg })
}

func question(r *recipe.Recipe, digest string) buildlock.Question {
	return buildlock.Question{Profile: r.Profile, Image: r.Base.Ref, Digest: digest, Platform: r.Platform, Inputs: r.Apt.Inputs, Asked: r.System}
}

// pinOf is the digest that a base is pinned to: by its own reference, else by the lock; "" = by none.
func pinOf(lock *buildlock.Lock, ref string) string {
	if digest := registry.DigestOf(ref); digest != "" {
		return digest
	}
	return lock.Digest(ref)
}

// lookupBase looks up a recipe's base. One of packages is not looked up.
func (b *build) lookupBase(ctx context.Context, gw gateway.Client, r *recipe.Recipe, p ocispecs.Platform) (ops.Base, error) {
	if r.Base.Bare() {
		return llb.NewBare(r, p), nil
	}
	return b.lookupPinned(ctx, gw, r.Base.Ref, p)
}

// lookupPinned looks up an image by the digest that mlbuild.lock pins it to.
func (b *build) lookupPinned(ctx context.Context, gw gateway.Client, ref string, p ocispecs.Platform) (ops.Base, error) {
	pin := b.system.Digest(ref)
	if pin == "" || registry.DigestOf(ref) != "" {
		return lookupImage(ctx, gw, ref, p)
	}
	base, err := lookupImage(ctx, gw, ref+"@"+pin, p)
	for _, f := range fault.All(err) {
		if f.Code == fault.BaseGone {
			f.Hints = []string{fmt.Sprintf("%s pins it; take what the tag names now: mlbuild lock --upgrade base", buildlock.FileName)}
		}
	}
	return base, err
}

// lookupImages looks up the images beside the base whose files a recipe takes, each by the digest that mlbuild.lock pins it to.
func (b *build) lookupImages(ctx context.Context, gw gateway.Client, r *recipe.Recipe, p ocispecs.Platform) (map[string]ops.Base, error) {
	found := map[string]ops.Base{}
	for _, ref := range r.Images() {
		m, err := b.lookupPinned(ctx, gw, ref, p)
		if err != nil {
			return nil, err
		}
		found[ref] = m
	}
	return found, nil
}

// systemPackages returns the recipe's system packages: from the lock, else those that the base's apt chooses now. Nil = the recipe has none, or plain apt
// installs them and no lock says which.
func (b *build) systemPackages(ctx context.Context, gw gateway.Client, r *recipe.Recipe, base ops.Base, p ocispecs.Platform) (s *buildlock.System, chosen bool, err error) {
	if len(r.System) == 0 {
		return nil, false, nil
	}
	if s, reason := b.system.Lookup(question(r, registry.DigestOf(base.Ref))); reason == "" {
		return s, false, nil
	}
	if r.Apt.Strategy == "apt" {
		return nil, false, nil
	}
	fresh, err := b.askApt(ctx, gw, r, query.SystemInputs{Base: base, Platform: p})
	if err != nil {
		return nil, false, err
	}
	return &fresh, true, nil
}

// askApt lets the base's apt choose the recipe's system packages. The network and the cache rule of in are filled in.
func (b *build) askApt(ctx context.Context, gw gateway.Client, r *recipe.Recipe, in query.SystemInputs) (s buildlock.System, err error) {
	in.Network, in.NoCache = b.network(), b.req.NoCache
	if in.Base.Bare {
		in.Worker = b.worker
		if in.Tool, err = lookupImage(ctx, gw, r.Tool, b.worker); err != nil {
			return s, err
		}
		in.Tool.Distro = in.Base.Distro // whose lists it caches
	}
	def, err := query.SystemResolution(r, in)
	if err != nil {
		return s, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return s, b.failed(r.Profile).Apt(r, err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return s, fmt.Errorf("the result of apt: %w", err)
	}
	data, err := readFile(ctx, ref, query.SystemAnswer)
	if err != nil {
		return s, err
	}
	if s, err = query.ParseSystemAnswer(r.System, data); err != nil {
		return s, err
	}
	s.Image, s.Digest, s.Platform, s.Inputs = r.Base.Ref, registry.DigestOf(in.Base.Ref), r.Platform, r.Apt.Inputs
	if in.Base.Bare {
		s.Links = ops.BareLinks(s.Architecture)
	}
	if len(s.Removes) > 0 && r.Apt.Strategy != "apt" {
		return s, fault.New(fault.Resolve, "the system packages of profile %s conflict with the base %s: apt would remove %s from it",
			r.Profile, r.Base.Ref, strings.Join(s.Removes, ", ")).
			Hint("leave out the package that conflicts, or take another base").
			Hint("system: {strategy: apt} lets apt replace what the base has, in one layer that depends on the base")
	}
	if err := b.readScripts(ctx, gw, r, in, &s); err != nil {
		return s, err
	}
	if in.Base.Bare {
		err = install.CheckPackages(r, &s)
	}
	return s, err
}
