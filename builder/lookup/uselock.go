package lookup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Locks decides which locks a run uses. Nothing is asked for it.
type Locks struct {
	Refuse bool                             // a lock that is missing or stale is a fault.LockStale (--locked), else a note
	Note   func(format string, args ...any) // something a user should know
}

// Usable returns the Python lock that answers the profile's recipes, nil if none does, and holds mlbuild.lock against them as far as the stage needs it. text is the profile's lock file,
// nil = there is none. Errors: fault.LockStale where locks are refused, fault.Lock for a file that is no lock.
func (l Locks) Usable(target recipe.Stage, recipes []*recipe.Recipe, text []byte, build *buildlock.Lock) (*pylock.Lock, error) {
	lock, err := l.Python(recipes, text)
	var faults fault.List
	if target != recipe.StageModels {
		faults = append(fault.All(err), fault.All(l.checkBuildLock(recipes, build))...)
	}
	if target != recipe.StageBase && target != recipe.StageBuilder {
		faults = append(faults, fault.All(l.checkModelLock(recipes, build))...)
	}
	return lock, faults.Err()
}

// Python reads a lock of Python packages, nil = there is none, and returns it if it answers today's inputs of the recipes, which are of one profile. A lock that another tool
// wrote has no hash of the inputs: it is used as it is. Errors: fault.LockStale where locks are refused, fault.Lock for a file that is no lock.
func (l Locks) Python(recipes []*recipe.Recipe, text []byte) (*pylock.Lock, error) {
	r := recipes[0]
	if text == nil {
		if l.Refuse && r.Requires.UV == nil && !holdsVersions(r) {
			return nil, fault.New(fault.LockStale, "profile %s has no lock, and --locked forbids resolving", r.Profile).
				In(fault.Position{File: r.Requires.Lock}).Hint("mlbuild lock --profile %s", r.Profile)
		}
		return nil, nil
	}
	lock, err := parseLock(r, text)
	if err != nil {
		return nil, err
	}
	reason := staleReason(lock, recipes)
	if reason == "" {
		return lock, nil
	}
	if l.Refuse {
		return nil, fault.New(fault.LockStale, "the lock does not fit the project any more: %s", reason).
			In(fault.Position{File: lock.Name}).Hint("mlbuild lock --profile %s", r.Profile)
	}
	l.Note("%s is stale (%s) and not used; renew it with: mlbuild lock --profile %s", lock.Name, reason, r.Profile)
	return nil, nil
}

// parseLock reads a lock of a recipe, which may name packages beside it in its workspace.
func parseLock(r *recipe.Recipe, text []byte) (*pylock.Lock, error) {
	return pylock.ParseBelow(r.Above.Place(), r.Requires.Lock, text)
}

// Answers reports whether a lock was made by mlbuild for just what the recipes, which are of one profile, ask for now, and on their platforms. What lies in their bases it does not say.
func Answers(recipes []*recipe.Recipe, text []byte) bool {
	r := recipes[0]
	lock, err := parseLock(r, text)
	if err != nil || lock.Tool.Inputs == "" || lock.Tool.Inputs != r.Requires.Inputs || lock.Tool.Pruning != r.Prune.Key() {
		return false
	}
	return missingPlatform(lock, recipes) == "" && len(lock.Tool.Platforms) == len(recipes)
}

// holdsVersions reports whether another tool's lock holds the versions of a recipe whose packages are chosen anew.
func holdsVersions(r *recipe.Recipe) bool {
	return r.Requires.From != "" && r.Requires.From != r.Requires.Lock
}

// held refuses, where locks are, packages that were chosen anew and that the lock of another tool does not hold by version and hash: another build of a
// framework, and what is asked for beside the lock. The fault is a fault.LockStale.
func (l Locks) held(r *recipe.Recipe, wheels []pylock.Wheel) error {
	if !l.Refuse || r.Requires.UV != nil || !holdsVersions(r) {
		return nil
	}
	var free []string
	for _, w := range wheels {
		own := w.Path != "" || w.Source != nil && w.Source.Type != pylock.Archive
		if !own && !slices.ContainsFunc(r.Requires.Hashes, func(h recipe.PinnedHashes) bool {
			return h.Name == w.Name && (h.Version == "" && w.Direct || pypi.CompareVersions(h.Version, w.Version) == 0)
		}) {
			free = append(free, w.Label())
		}
	}
	if len(free) == 0 {
		return nil
	}
	return fault.New(fault.LockStale, "%s does not hold %s, which profile %s takes, and --locked forbids choosing", r.Requires.From, strings.Join(free, ", "), r.Profile).
		In(fault.Position{File: r.Requires.From}).Hint("mlbuild lock --profile %s", r.Profile)
}

// staleReason says in words what changed since the lock was made, "" if nothing did.
func staleReason(lock *pylock.Lock, recipes []*recipe.Recipe) string {
	r := recipes[0]
	if lock.Tool.Inputs == "" || lock.Tool.Inputs == r.Requires.Inputs {
		return missingPlatform(lock, recipes)
	}
	var reasons []string
	if lock.Tool.Python != "" && lock.Tool.Python != r.Python.Version {
		reasons = append(reasons, fmt.Sprintf("it is for Python %s, the project wants %s", lock.Tool.Python, r.Python.Version))
	}
	if lock.Tool.Torch != r.Requires.Torch {
		reasons = append(reasons, fmt.Sprintf("torch came from index %q, now from %q", lock.Tool.Torch, r.Requires.Torch))
	}
	if missing := notLocked(lock, r); len(missing) > 0 {
		reasons = append(reasons, "it lacks "+strings.Join(missing, ", "))
	}
	if len(reasons) == 0 {
		reasons = []string{"the requirements changed"}
	}
	return strings.Join(reasons, "; ")
}

func missingPlatform(lock *pylock.Lock, recipes []*recipe.Recipe) string {
	for _, r := range recipes {
		if len(lock.Tool.Platforms) > 0 && !slices.Contains(lock.Tool.Platforms, r.Platform) {
			return fmt.Sprintf("it is for %s, not for %s", strings.Join(lock.Tool.Platforms, ", "), r.Platform)
		}
	}
	return ""
}

// notLocked lists the packages that the requirements name and the lock does not have.
func notLocked(lock *pylock.Lock, r *recipe.Recipe) []string {
	have := map[string]bool{}
	for _, p := range lock.Packages {
		have[p.Name] = true
	}
	return slices.DeleteFunc(query.Requested(r), func(name string) bool { return have[name] })
}

// checkBuildLock reports whether mlbuild.lock answers a profile's recipes: their base and their system packages on every platform. What is stale or missing is a
// fault.LockStale where locks are refused, else a note. Without the file only system packages need one.
func (l Locks) checkBuildLock(recipes []*recipe.Recipe, lock *buildlock.Lock) error {
	for _, r := range recipes {
		reason := systemStale(lock, r)
		switch {
		case reason == "" && l.Refuse && lock == nil && moves(r) != "":
			return fault.New(fault.LockStale, "%s is a mutable tag that mlbuild.lock does not pin, and --locked forbids resolving it", moves(r)).
				In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", r.Profile).Hint("or name the image by its digest")
		case reason == "":
			continue
		case l.Refuse && lock == nil:
			what := "the system packages of profile " + r.Profile + " have no lock"
			if ref := unpinned(nil, r); ref != "" {
				what = "profile " + r.Profile + " takes files of " + ref + ", which no lock pins"
			}
			return fault.New(fault.LockStale, "%s, and --locked forbids resolving", what).
				In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", r.Profile)
		case l.Refuse:
			return fault.New(fault.LockStale, "the lock does not fit profile %s any more: %s", r.Profile, reason).
				In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", r.Profile)
		case lock != nil:
			l.Note("%s does not fit profile %s (%s) and is not used for it; renew it with: mlbuild lock --profile %s", buildlock.FileName, r.Profile, reason, r.Profile)
			return nil
		}
	}
	return nil
}

// moves returns the base that a recipe names without its digest, "" if it has none.
func moves(r *recipe.Recipe) string {
	if r.Base.OfPackages() || registry.DigestOf(r.Base.Ref) != "" {
		return ""
	}
	return r.Base.Ref
}

// systemStale says in words what of the recipe the lock does not answer, "" if nothing.
func systemStale(lock *buildlock.Lock, r *recipe.Recipe) string {
	pinned := pinOf(lock, r.Base.Ref)
	if lock != nil && pinned == "" && !r.Base.OfPackages() {
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

// RunsApt reports whether a build of the recipe runs apt or dpkg on the base: to choose packages that no lock lists, or to configure some.
func RunsApt(r *recipe.Recipe, lock *buildlock.Lock, target recipe.Stage) bool {
	if r.Base.OfPackages() {
		return false // apt runs in the tool image, and dpkg nowhere
	}
	if target == recipe.StageBuilder {
		return len(r.Builder.System) > 0
	}
	if target == recipe.StageDev && len(llb.DevPackages(r)) > 0 {
		return true
	}
	if target == recipe.StageBase || target == recipe.StageModels || len(r.System) == 0 {
		return false
	}
	s, reason := lock.Lookup(question(r, pinOf(lock, r.Base.Ref)))
	return reason != "" || r.Apt.Strategy == "apt" || slices.ContainsFunc(s.Packages, func(p buildlock.Package) bool { return p.Handling == buildlock.Dpkg })
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

// checkModelLock reports whether mlbuild.lock pins the models of a profile's recipes. One that it does not pin is a fault.LockStale where locks are refused, else a note.
func (l Locks) checkModelLock(recipes []*recipe.Recipe, lock *buildlock.Lock) error {
	var faults fault.List
	told := map[string]bool{}
	for _, r := range recipes {
		for i := range r.Models {
			model := &r.Models[i]
			_, reason := lock.Model(model.Name, model.Inputs)
			if model.Pinned() || reason == "" || told[model.Name] {
				continue
			}
			told[model.Name] = true
			if l.Refuse {
				faults = append(faults, fault.New(fault.LockStale, "the model %s of profile %s is not pinned (%s), and --locked forbids taking what its source has now", model.Name, r.Profile, reason).
					In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", r.Profile))
				continue
			}
			l.Note("the model %s is taken as its source has it now (%s: %s); \"mlbuild lock\" pins it", model.Name, buildlock.FileName, reason)
		}
	}
	return faults.Err()
}
