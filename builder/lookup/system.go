package lookup

import (
	"context"
	"strings"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// System asks which Debian packages a recipe's system packages are.
type System struct {
	Daemon
	Helpers ops.Helpers     // the one for packages reads maintainer scripts
	Lock    *buildlock.Lock // the project's mlbuild.lock; nil = there is none
}

// SystemPackages are a recipe's system packages.
type SystemPackages struct {
	List   *buildlock.System // nil = the recipe has none, or plain apt installs them and no lock says which
	Chosen bool              // apt chose them now: no lock has them
}

// Find returns the recipe's system packages on its base: from the lock, else those that the base's apt chooses now. The errors are Choose's.
func (s System) Find(ctx context.Context, r *recipe.Recipe, base ops.Base) (SystemPackages, error) {
	if len(r.System) == 0 {
		return SystemPackages{}, nil
	}
	if list, reason := s.Lock.Lookup(question(r, registry.DigestOf(base.Ref))); reason == "" {
		return SystemPackages{List: list}, nil
	}
	if r.Apt.Strategy == "apt" {
		return SystemPackages{}, nil
	}
	fresh, err := s.Choose(ctx, r, base, nil, "")
	if err != nil {
		return SystemPackages{}, err
	}
	return SystemPackages{List: &fresh, Chosen: true}, nil
}

// Choose lets the base's apt choose the recipe's system packages, and finds out what each needs to be a layer. previous are versions that are kept where the repositories still have
// them; another nonce asks the repositories again. Errors: fault.Resolve for packages that are not there or conflict, and the others of diagnose.Build.Apt.
func (s System) Choose(ctx context.Context, r *recipe.Recipe, base ops.Base, previous []buildlock.Package, nonce string) (list buildlock.System, err error) {
	p, err := ParsePlatform(r.Platform)
	if err != nil {
		return list, err
	}
	in := query.SystemInputs{Base: base, Platform: p, Previous: previous, Nonce: nonce, Network: s.Network, NoCache: s.NoCache}
	if base.OfPackages {
		in.Worker = s.Worker
		if in.Tool, err = s.ImageOf(ctx, r.Tool, s.Worker); err != nil {
			return list, err
		}
		in.Tool.Distro = base.Distro // whose lists it caches
	}
	if list, err = s.ask(ctx, r, in); err != nil {
		return list, err
	}
	if len(list.Removes) > 0 && r.Apt.Strategy != "apt" {
		return list, fault.New(fault.Resolve, "the system packages of profile %s conflict with the base %s: apt would remove %s from it",
			r.Profile, r.Base.Ref, strings.Join(list.Removes, ", ")).
			Hint("leave out the package that conflicts, or take another base").
			Hint("system: {strategy: apt} lets apt replace what the base has, in one layer that depends on the base")
	}
	if err := s.readScripts(ctx, r, in, &list); err != nil {
		return list, err
	}
	if base.OfPackages {
		err = install.CheckPackages(r, &list)
	}
	return list, err
}

// ask runs apt and reads its answer.
func (s System) ask(ctx context.Context, r *recipe.Recipe, in query.SystemInputs) (list buildlock.System, err error) {
	def, err := query.SystemResolution(r, in)
	if err != nil {
		return list, err
	}
	ref, err := s.solve(ctx, def, r.Profile, "the result of apt", func(b diagnose.Build, err error) error { return b.Apt(r, err) })
	if err != nil {
		return list, err
	}
	data, err := ReadFile(ctx, ref, query.SystemAnswer)
	if err != nil {
		return list, err
	}
	if list, err = query.ParseSystemAnswer(r.System, data); err != nil {
		return list, err
	}
	list.Image, list.Digest, list.Platform, list.Inputs = r.Base.Ref, registry.DigestOf(in.Base.Ref), r.Platform, r.Apt.Inputs
	if in.Base.OfPackages {
		list.Links = ops.PackageBaseLinks(list.Architecture)
	}
	return list, nil
}

// ToLock returns what mlbuild.lock is to list of a recipe's system packages, nil if it has none: what old says, unless renew is set or the question is another one; then apt chooses,
// and keeps old's versions unless renew is set. The errors are Choose's, and those of CheckBase.
func (s System) ToLock(ctx context.Context, r *recipe.Recipe, base ops.Base, old *buildlock.Lock, renew bool, nonce string) (*buildlock.System, error) {
	if len(r.System) == 0 {
		return nil, nil
	}
	if _, err := CheckBase(r, "", base); err != nil {
		return nil, err
	}
	var previous []buildlock.Package
	if q := question(r, registry.DigestOf(base.Ref)); !renew {
		if list, reason := old.Lookup(q); reason == "" {
			return list, nil
		}
		if earlier := old.Earlier(q); earlier != nil {
			previous = earlier.Packages
		}
	}
	fresh, err := s.Choose(ctx, r, base, previous, nonce)
	return &fresh, err
}
