package lookup

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// lockOf is an mlbuild.lock of a recipe's base and system packages.
func lockOf(t *testing.T, s *buildertest.Apt, r *recipe.Recipe) *buildlock.Lock {
	t.Helper()
	base, err := Bases{Daemon: asking(t, s)}.Image(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	list, err := aptOf(t, s, nil).ToLock(t.Context(), r, base, nil, false, "")
	if err != nil {
		t.Fatal(err)
	}
	lock := &buildlock.Lock{}
	lock.PutImage(r.Profile, r.Base.Ref, registry.DigestOf(base.Ref))
	lock.PutSystem(r.Profile, *list)
	return lock
}

// A base that is pinned is looked up by its digest.
func TestLookupBase(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", buildertest.SomeSystem)
	s := buildertest.NewApt()
	lock := lockOf(t, s, r)
	s.Image = "a newer image"
	b := Bases{Daemon: asking(t, s), Lock: lock}
	pinned := r.Base.Ref + "@" + digest.FromString("image").String()
	base, err := b.Image(t.Context(), r)
	if err != nil || base.Ref != pinned || s.Lookups.Load() != "docker-image://"+pinned {
		t.Errorf("%s, %v, asked for %s", base.Ref, err, s.Lookups.Load())
	}
	gone := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New("python: not found") }}
	_, err = Bases{Daemon: asking(t, gone), Lock: lock}.Image(t.Context(), r)
	buildertest.Expect(t, err, fault.BaseGone, false, "mlbuild.lock pins it", "mlbuild lock --upgrade base")

	b.Lock = nil
	if base, err := b.Image(t.Context(), r); err != nil || base.Ref != r.Base.Ref+"@"+digest.FromString("a newer image").String() {
		t.Errorf("without a lock: %s, %v", base.Ref, err)
	}
}

func TestCheckBuildLock(t *testing.T) {
	plain, gomp := buildertest.Recipe(t, "cpu", "python: {requirements: []}\n"), buildertest.Recipe(t, "cpu", buildertest.SomeSystem)
	byApt := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1], strategy: apt}\n")
	more := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1, git]}\n")
	other := buildertest.Recipe(t, "cpu", buildertest.SomeSystem+"base: docker.io/library/debian:12\n")
	fixed := buildertest.Recipe(t, "cpu", buildertest.SomeSystem+"base: docker.io/library/python:3.11-slim@sha256:"+buildertest.Zeros+"\n")
	lock := lockOf(t, buildertest.NewApt(), gomp)
	for _, test := range []struct {
		name   string
		lock   *buildlock.Lock
		Recipe *recipe.Recipe
		reason string // "" = it fits
		note   bool
	}{
		{"fits", lock, gomp, "", false},
		{"no lock, no packages", nil, plain, "docker.io/library/python:3.11-slim is a mutable tag that mlbuild.lock does not pin", false},
		{"no lock, plain apt", nil, byApt, "docker.io/library/python:3.11-slim is a mutable tag", false},
		{"no lock, a base by digest", nil, buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {image: \"python:3.11-slim@sha256:"+buildertest.Zeros+"\"}\n"), "", false},
		{"no lock, no image", nil, buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {kind: debian}\n"), "the system packages of profile cpu have no lock", false},
		{"a Python without a pin", lock, buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {image: \"python:3.11-slim\", python: \"python:3.11-slim-bookworm\"}\n"),
			"it does not pin the image docker.io/library/python:3.11-slim-bookworm", true},
		{"no lock", nil, gomp, "the system packages of profile cpu have no lock", false},
		{"another package", lock, more, "it lacks git", true},
		{"another base", lock, other, "it does not pin the base docker.io/library/debian:12", true},
		{"a base by digest", lock, fixed, "the base is docker.io/library/python:3.11-slim@sha256:" + buildertest.Zeros, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var notes []string
			locks := Locks{Note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }}
			if err := locks.checkBuildLock([]*recipe.Recipe{test.Recipe}, test.lock); err != nil {
				t.Fatal(err)
			}
			if (len(notes) > 0) != test.note || test.note && !strings.Contains(notes[0], test.reason) {
				t.Errorf("notes %q", notes)
			}
			locks.Refuse = true
			err := locks.checkBuildLock([]*recipe.Recipe{test.Recipe}, test.lock)
			if test.reason == "" {
				if err != nil {
					t.Errorf("refused under --locked: %v", err)
				}
				return
			}
			buildertest.Expect(t, err, fault.LockStale, false, test.reason, "mlbuild lock --profile cpu")
			if at := fault.All(err)[0].At.File; at != buildlock.FileName {
				t.Errorf("at %q", at)
			}
		})
	}
}

// What apt would take away from the base is refused, unless plain apt is asked for.
func TestRemovesAreRefused(t *testing.T) {
	gw := &buildertest.Gateway{OnSolve: func(string) (map[string]string, error) { return buildertest.AptAnswer("mawk 1.3\n", "gawk 5"), nil }}
	apt, base := aptOf(t, gw, nil), ops.Base{Ref: "docker.io/library/python@sha256:" + buildertest.Zeros}
	_, err := apt.Choose(t.Context(), buildertest.Recipe(t, "cpu", buildertest.SomeSystem), base, nil, "")
	buildertest.Expect(t, err, fault.Resolve, false, "conflict with the base docker.io/library/python:3.11-slim: apt would remove mawk 1.3", "strategy: apt")
	s, err := apt.Choose(t.Context(), buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [gawk], strategy: apt}\n"), base, nil, "")
	if err != nil || len(s.Removes) != 1 {
		t.Errorf("%v, %v", s, err)
	}
}

// What apt says of a package that is not there becomes the fault.
func TestFailingApt(t *testing.T) {
	gw := &buildertest.Gateway{OnSolve: func(string) (map[string]string, error) { return nil, errors.New("exit code: 1") }}
	apt, step := aptOf(t, gw, nil), digest.FromString("apt")
	apt.Logs.Keep(&bkclient.SolveStatus{
		Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[resolve] apt", Error: "exit code: 1"}},
		Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte("E: Unable to locate package libgopm1\nmlbuild: near libgopm1: libgomp1 \n")}},
	})
	_, err := apt.Choose(t.Context(), buildertest.Recipe(t, "cpu", buildertest.SomeSystem), ops.Base{Ref: "docker.io/library/python:3.11-slim@sha256:" + buildertest.Zeros}, nil, "")
	buildertest.Expect(t, err, fault.Resolve, false, "python:3.11-slim have no package libgopm1", "did you mean libgomp1?")
}

// TestSystemPackages: a fitting list is used as it is, a build without one asks apt, plain apt needs none.
func TestSystemPackages(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", buildertest.SomeSystem)
	s := buildertest.NewApt()
	lock := lockOf(t, s, r)
	base := ops.Base{Ref: r.Base.Ref + "@" + lock.Images[0].Digest}
	for _, test := range []struct {
		name   string
		lock   *buildlock.Lock
		Recipe *recipe.Recipe
		base   ops.Base
		list   bool
		asked  int64
	}{
		{"locked", lock, r, base, true, 0},
		{"no lock", nil, r, base, true, 1},
		{"another base", lock, r, ops.Base{Ref: r.Base.Ref + "@sha256:" + buildertest.Zeros}, true, 1},
		{"no packages", lock, buildertest.Recipe(t, "cpu", "python: {requirements: []}\n"), base, false, 0},
		{"plain apt", nil, buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1], strategy: apt}\n"), base, false, 0},
	} {
		before := s.Asked.Load()
		found, err := aptOf(t, s, test.lock).Find(t.Context(), test.Recipe, test.base)
		if err != nil || (found.List != nil) != test.list || s.Asked.Load()-before != test.asked || found.Chosen != (test.asked > 0) {
			t.Errorf("%s: %v, %v, asked %d times", test.name, found.List, err, s.Asked.Load()-before)
		}
	}
}

// Only what apt or dpkg has to do needs programs of the platform.
func TestRunsApt(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", buildertest.SomeSystem)
	byApt := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1], strategy: apt}\n")
	s := buildertest.NewApt()
	layers := lockOf(t, s, r)
	configured := layers.Clone()
	configured.Systems[0].Packages = []buildlock.Package{{Name: "libgomp1", Handling: buildlock.Dpkg}}
	for _, test := range []struct {
		name   string
		Recipe *recipe.Recipe
		lock   *buildlock.Lock
		target recipe.Stage
		want   bool
	}{
		{"no packages", buildertest.Recipe(t, "cpu", "python: {requirements: []}\n"), nil, "", false},
		{"no lock", r, nil, "runtime", true},
		{"layers", r, layers, "", false},
		{"one for dpkg", r, configured, "", true},
		{"plain apt", byApt, layers, "", true},
		{"another question", buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [git]}\n"), layers, "", true},
		{"the base alone", r, nil, "base", false},
		{"a builder without packages", r, nil, "builder", false},
		{"a builder", buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {build: [gcc]}\n"), nil, "builder", true},
	} {
		if got := RunsApt(test.Recipe, test.lock, test.target); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestBareNeedsNoDpkg: what only dpkg could configure is refused when it is locked.
func TestBareNeedsNoDpkg(t *testing.T) {
	s := buildertest.NewApt()
	answers := s.OnSolve
	s.OnSolve = func(def string) (map[string]string, error) {
		if strings.Contains(def, query.SystemHandling) {
			return map[string]string{query.SystemHandling: `[{"package": "libgomp1", "way": "dpkg", "reason": "it calls x"}]`}, nil
		}
		return answers(def)
	}
	r := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {kind: debian}\n")
	apt := aptOf(t, s, nil)
	_, err := apt.Choose(t.Context(), r, ops.NewPackageBase(r, apt.Worker), nil, "")
	buildertest.Expect(t, err, fault.Deb, false, "libgomp1 1 cannot be a layer: it calls x", "the base debian bookworm has no dpkg")
}
