package lookup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Staged is the recipe of a stage that asks for q beside what the runtime asks for. The stage may have what only stages may have.
func Staged(r *recipe.Recipe, q *recipe.StageRequirements) *recipe.Recipe {
	staged := r.With(*q)
	staged.Requires.Allow = slices.Concat(staged.Requires.Allow, install.StageStartup())
	return staged
}

// PackageStages are the stages that may have packages beside the runtime's, sorted.
var PackageStages = []recipe.Stage{recipe.StageDev, recipe.StageTesting}

// StageRequirements returns what a stage wants beyond the runtime, nil if the recipe has no such stage.
func StageRequirements(r *recipe.Recipe, stage recipe.Stage) *recipe.StageRequirements {
	switch {
	case stage == recipe.StageTesting && r.Testing != nil:
		return &r.Testing.Requires
	case stage == recipe.StageDev && r.Dev != nil:
		return &r.Dev.Requires
	}
	return nil
}

// Stage asks for the wheels that one stage has beside the runtime's.
type Stage struct {
	UV    UV
	Locks Locks
	Name  recipe.Stage
	Lock  []byte // the stage's lock file; nil = there is none
}

// StagePackages are the wheels that a stage has beside the runtime's. The zero value has none.
type StagePackages struct {
	Wheels []pylock.Wheel
	Needs  map[string][]string // as in Choice, of the runtime's packages too; nil = the runtime's hold
	Asked  map[string]string
	Notes  []string // of all packages of the stage
	Chosen bool     // uv chose them now: no lock has them
}

// Find returns the wheels of the stage for a recipe and the runtime that lock gave it: from the stage's lock, else uv is asked, with the versions of lock as constraints. Errors:
// those of Locks.Python, UV.Lock and Choose, and fault.Resolve for packages that do not go with the runtime's.
func (s Stage) Find(ctx context.Context, r *recipe.Recipe, base Base, runtime Choice, lock *pylock.Lock) (StagePackages, error) {
	q := StageRequirements(r, s.Name)
	if q == nil {
		return StagePackages{}, nil
	}
	staged := Staged(r, q)
	locked, err := s.fromLock(staged, base, runtime)
	if err != nil {
		return StagePackages{}, err
	}
	if locked != nil {
		return beside(runtime, *locked, false), nil
	}
	installed, err := s.UV.Bases.Installed(ctx, r, base.Image, base.Contents)
	if err != nil {
		return StagePackages{}, err
	}
	question := UVQuery{Recipe: staged, Platforms: []string{r.Platform}, Glibc: base.Glibc, Python: base.Contents.FullVersion, InBase: installed, Keep: Constraints(lock)}
	_, chosen, err := s.UV.Lock(ctx, question)
	if err != nil {
		return StagePackages{}, StageHint(err, s.Name, lock)
	}
	choice, err := Choose(staged, chosen, base.Glibc, base.Contents)
	if err != nil {
		return StagePackages{}, err
	}
	if err := s.Locks.held(staged, choice.Wheels); err != nil {
		return StagePackages{}, err
	}
	if changed := changedBy(choice, runtime); changed != "" {
		return StagePackages{}, fault.New(fault.Resolve, "the packages of stage %s do not go with those of the runtime: %s", s.Name, changed)
	}
	return beside(runtime, choice, true), nil
}

// fromLock returns what the stage's lock chooses, if it answers today's inputs and has every package of the runtime as the runtime has it; else nil. What is stale or missing is a
// fault.LockStale where locks are refused, else a note.
func (s Stage) fromLock(staged *recipe.Recipe, base Base, runtime Choice) (*Choice, error) {
	lock, err := s.Locks.Python([]*recipe.Recipe{staged}, s.Lock)
	if lock == nil || err != nil {
		return nil, err
	}
	choice, err := Choose(staged, lock, base.Glibc, base.Contents)
	if err != nil {
		return nil, err
	}
	changed := changedBy(choice, runtime)
	switch {
	case changed == "":
		return &choice, nil
	case s.Locks.Refuse:
		return nil, fault.New(fault.LockStale, "the lock does not fit the runtime's any more: %s", changed).
			In(fault.Position{File: lock.Name}).Hint("mlbuild lock --profile %s", staged.Profile)
	}
	s.Locks.Note("%s is stale (%s) and not used; renew it with: mlbuild lock --profile %s", lock.Name, changed, staged.Profile)
	return nil, nil
}

// beside is what a stage's choice has that the runtime has not.
func beside(runtime, stage Choice, chosen bool) StagePackages {
	p := StagePackages{Needs: stage.Needs, Asked: stage.Asked, Notes: stage.AllNotes(), Chosen: chosen}
	for _, w := range stage.Wheels {
		if !slices.ContainsFunc(runtime.Wheels, func(have pylock.Wheel) bool { return have.Name == w.Name }) {
			p.Wheels = append(p.Wheels, w)
		}
	}
	return p
}

// changedBy says in words which package of the runtime the stage would have otherwise, "" if none.
func changedBy(stage, runtime Choice) string {
	for _, w := range runtime.Wheels {
		i := slices.IndexFunc(stage.Wheels, func(s pylock.Wheel) bool { return s.Name == w.Name })
		switch {
		case i < 0:
			return "it lacks " + w.Name
		case stage.Wheels[i].Version != w.Version:
			return fmt.Sprintf("%s is %s in the runtime and %s in the stage", w.Name, w.Version, stage.Wheels[i].Version)
		}
	}
	return ""
}

// Constraints writes the versions of a lock as a constraints file. A package that is required by its URL is held by that requirement.
func Constraints(lock *pylock.Lock) string {
	var text strings.Builder
	for _, p := range lock.Packages {
		direct := slices.ContainsFunc(p.Wheels, func(f pylock.File) bool { return f.Direct })
		if p.Version == "" || direct || p.Archive != nil || p.VCS != nil || p.Directory != nil {
			continue
		}
		fmt.Fprintf(&text, "%s==%s", p.Name, p.Version)
		if p.Marker != "" {
			fmt.Fprintf(&text, " ; %s", p.Marker)
		}
		text.WriteString("\n")
	}
	for _, p := range lock.Tool.Base {
		text.WriteString(p + "\n")
	}
	return text.String()
}

// StageHint adds to a failed resolution that the runtime's versions are fixed in it.
func StageHint(err error, stage recipe.Stage, runtime *pylock.Lock) error {
	for _, f := range fault.All(err) {
		if f.Code == fault.Resolve {
			f.Hint("the stage %s takes the runtime's packages in the versions of %s; loosen what it asks for, or lock other versions for the runtime", stage, runtime.Name)
		}
	}
	return err
}
