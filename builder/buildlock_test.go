package builder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// aptAnswer is what the step of apt leaves: packages "name version" of amd64.
func aptAnswer(removed string, packages ...string) map[string]string {
	text := "@base\narchitecture amd64\n@os\nID=debian\nVERSION_CODENAME=bookworm\n@links\n/bin -> usr/bin\n@installed\nii  dpkg 1.21.22 amd64\nii  zlib1g 1 amd64\n@removed\n" + removed + "@packages\n"
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		text += fmt.Sprintf("'http://deb.example/%s_%s_amd64.deb' %s_%s_amd64.deb 7 SHA256:%s\n", name, version, name, version, buildertest.Zeros)
	}
	return map[string]string{query.SystemAnswer: text}
}

// aptStub answers each question of apt with libgomp1 in a version, and each look-up with an image; it counts and remembers them.
type aptStub struct {
	buildertest.Gateway
	version string
	image   string // what the tag names
	asked   atomic.Int64
	last    atomic.Value // definition
	lookups atomic.Value // identifier of the last
}

func newAptStub() *aptStub {
	s := &aptStub{version: "1", image: "image"}
	s.OnSolve = func(def string) (map[string]string, error) {
		if strings.Contains(def, query.SystemWays) {
			return map[string]string{query.SystemWays: `[{"package": "libgomp1", "way": "rules", "reason": "sets an alternative"}]`}, nil
		}
		s.asked.Add(1)
		s.last.Store(def)
		return aptAnswer("", "libgomp1 "+s.version), nil
	}
	s.OnLookup = func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		s.lookups.Store(op.Identifier)
		resp, err := buildertest.AnImage(op)
		resp.Image.Digest = digest.FromString(s.image)
		return resp, err
	}
	return s
}

// again runs LockBuild's work for recipes on an earlier lock, and tells how often apt was asked.
func (s *aptStub) again(t *testing.T, old *buildlock.Lock, o LockOptions, recipes ...*recipe.Recipe) (*buildlock.Lock, int64) {
	t.Helper()
	b := running(t, Request{})
	if b.system = old; o.All || o.Base {
		b.system = old.WithoutImages()
	}
	before := s.asked.Load()
	to := &BuildLocked{Old: old, Lock: old.Clone()}
	if err := b.lockBuild(t.Context(), s, Variant{Profile: "cpu", Recipes: recipes}, o, to); err != nil {
		t.Fatal(err)
	}
	return to.Lock, s.asked.Load() - before
}

func TestLockSystem(t *testing.T) {
	const yaml = "python: {requirements: []}\nsystem: {runtime: [libgomp1, zlib1g]}\n"
	cpu, gpu := buildertest.Recipe(t, "cpu", yaml), buildertest.Recipe(t, "gpu", yaml)
	s := newAptStub()
	first, asked := s.again(t, nil, LockOptions{}, cpu, gpu)
	if asked != 1 {
		t.Errorf("two profiles with one question asked %d times", asked)
	}
	want := &buildlock.Lock{
		Images: []buildlock.Image{{Ref: cpu.Base.Ref, Digest: digest.FromString("image").String(), Profiles: []string{"cpu", "gpu"}}},
		Systems: []buildlock.System{{
			Image: cpu.Base.Ref, Digest: digest.FromString("image").String(), Platform: "linux/amd64", Profiles: []string{"cpu", "gpu"},
			Inputs: cpu.Apt.Inputs, Asked: []string{"libgomp1", "zlib1g"}, Distribution: "debian", Suite: "bookworm", Architecture: "amd64", Dpkg: "1.21.22",
			Links: []buildlock.Link{{Path: "/bin", Target: "usr/bin"}}, Present: []string{"zlib1g 1"},
			Packages: []buildlock.Package{{Name: "libgomp1", Version: "1", Architecture: "amd64", Size: 7, SHA256: buildertest.Zeros, URL: "http://deb.example/libgomp1_1_amd64.deb",
				Way: buildlock.Rules, Reason: "sets an alternative"}},
		}},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if back, err := buildlock.Parse(buildlock.FileName, first.Marshal()); err != nil || cmp.Diff(want, back) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, back))
	}

	s.version, s.image = "2", "a newer image"
	for _, test := range []struct {
		name    string
		options LockOptions
		Recipe  *recipe.Recipe
		asked   int64
		version string // of libgomp1 in the profile's list afterwards
		image   string
		keeps   bool // apt is told the earlier version
	}{
		{"nothing changed", LockOptions{}, cpu, 0, "1", "image", false},
		{"a Python package is renewed", LockOptions{Upgrade: []string{"numpy"}}, cpu, 0, "1", "image", false},
		{"system is renewed", LockOptions{System: true}, cpu, 1, "2", "image", false},
		{"base is renewed", LockOptions{Base: true}, cpu, 1, "2", "a newer image", true},
		{"all is renewed", LockOptions{All: true}, cpu, 1, "2", "a newer image", false},
		{"another package", LockOptions{}, buildertest.Recipe(t, "cpu", strings.Replace(yaml, "zlib1g", "git", 1)), 1, "2", "image", true},
		{"no packages", LockOptions{}, buildertest.Recipe(t, "cpu", "python: {requirements: []}\n"), 0, "", "image", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, asked := s.again(t, first, test.options, test.Recipe)
			if asked != test.asked {
				t.Errorf("apt was asked %d times, want %d", asked, test.asked)
			}
			if got := l.Digest(cpu.Base.Ref); got != digest.FromString(test.image).String() {
				t.Errorf("the base is %s", got)
			}
			if def, _ := s.last.Load().(string); test.asked > 0 && strings.Contains(def, "Package: libgomp1\nPin: version 1\n") != test.keeps {
				t.Errorf("apt is told the earlier version: %t", !test.keeps)
			}
			version := ""
			for _, list := range l.Systems {
				if strings.Contains(strings.Join(list.Profiles, " "), "cpu") {
					version = list.Packages[0].Version
				}
			}
			if version != test.version {
				t.Errorf("libgomp1 %s", version)
			}
		})
	}
}

// A base that is pinned is looked up by its digest.
func TestLookupBase(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", someSystem)
	s := newAptStub()
	lock, _ := s.again(t, nil, LockOptions{}, r)
	s.image = "a newer image"
	b := running(t, Request{})
	b.system = lock
	pinned := r.Base.Ref + "@" + digest.FromString("image").String()
	base, err := b.lookupBase(t.Context(), s, r, b.worker)
	if err != nil || base.Ref != pinned || s.lookups.Load() != "docker-image://"+pinned {
		t.Errorf("%s, %v, asked for %s", base.Ref, err, s.lookups.Load())
	}
	gone := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New("python: not found") }}
	_, err = b.lookupBase(t.Context(), gone, r, b.worker)
	buildertest.Expect(t, err, fault.BaseGone, false, "mlbuild.lock pins it", "mlbuild lock --upgrade base")

	b.system = nil
	if base, err := b.lookupBase(t.Context(), s, r, b.worker); err != nil || base.Ref != r.Base.Ref+"@"+digest.FromString("a newer image").String() {
		t.Errorf("without a lock: %s, %v", base.Ref, err)
	}
}

func TestCheckBuildLock(t *testing.T) {
	plain, gomp := buildertest.Recipe(t, "cpu", "python: {requirements: []}\n"), buildertest.Recipe(t, "cpu", someSystem)
	byApt := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1], strategy: apt}\n")
	more := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1, git]}\n")
	other := buildertest.Recipe(t, "cpu", someSystem+"base: docker.io/library/debian:12\n")
	fixed := buildertest.Recipe(t, "cpu", someSystem+"base: docker.io/library/python:3.11-slim@sha256:"+buildertest.Zeros+"\n")
	lock, _ := newAptStub().again(t, nil, LockOptions{}, gomp)
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
			req := Request{Note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }}
			if err := checkBuildLock(req, test.lock, variantOf(test.Recipe)); err != nil {
				t.Fatal(err)
			}
			if (len(notes) > 0) != test.note || test.note && !strings.Contains(notes[0], test.reason) {
				t.Errorf("notes %q", notes)
			}
			req.Locked = true
			err := checkBuildLock(req, test.lock, variantOf(test.Recipe))
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
	gw := &buildertest.Gateway{OnSolve: func(string) (map[string]string, error) { return aptAnswer("mawk 1.3\n", "gawk 5"), nil }}
	b := running(t, Request{})
	_, err := b.askApt(t.Context(), gw, buildertest.Recipe(t, "cpu", someSystem), query.SystemInputs{Base: ops.Base{Ref: "docker.io/library/python@sha256:" + buildertest.Zeros}})
	buildertest.Expect(t, err, fault.Resolve, false, "conflict with the base docker.io/library/python:3.11-slim: apt would remove mawk 1.3", "strategy: apt")
	s, err := b.askApt(t.Context(), gw, buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [gawk], strategy: apt}\n"), query.SystemInputs{Base: ops.Base{Ref: "docker.io/library/python@sha256:" + buildertest.Zeros}})
	if err != nil || len(s.Removes) != 1 {
		t.Errorf("%v, %v", s, err)
	}
}

// TestSystemPackages: a fitting list is used as it is, a build without one asks apt, plain apt needs none.
func TestSystemPackages(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", someSystem)
	s := newAptStub()
	lock, _ := s.again(t, nil, LockOptions{}, r)
	b := running(t, Request{})
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
		b.system = test.lock
		before := s.asked.Load()
		list, chosen, err := b.systemPackages(t.Context(), s, test.Recipe, test.base, b.worker)
		if err != nil || (list != nil) != test.list || s.asked.Load()-before != test.asked || chosen != (test.asked > 0) {
			t.Errorf("%s: %v, %v, asked %d times", test.name, list, err, s.asked.Load()-before)
		}
	}
}

// A .deb that its mirror has deleted.
func TestExplainSystemDownload(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", someSystem)
	deb := buildlock.Package{Name: "libgomp1", Version: "1:1+b", URL: "http://deb.example/pool/libgomp1_1%2bb_amd64.deb", SHA256: digest.FromString("deb").Encoded()}
	c := &found{recipe: r, system: &buildlock.System{Packages: []buildlock.Package{deb}}}
	failed := fmt.Errorf("digest mismatch %s: sha256:%s", digest.FromString("an error page"), deb.SHA256)
	for _, test := range []struct {
		answer string
		code   fault.Code
		retry  bool
		says   []string
	}{
		{"invalid response status 404", fault.Download, false, []string{deb.URL, "answers 404", "mlbuild lock --upgrade system", "system.snapshot"}},
		{"invalid response status 503", fault.Download, true, []string{"answers 503"}},
		{"invalid response status 401", fault.Download, false, []string{"a password"}},
	} {
		gw := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New(test.answer) }}
		buildertest.Expect(t, running(t, Request{}).failed("cpu").Download(t.Context(), gw, r, c.downloads(), failed), test.code, test.retry, test.says...)
	}
	gw := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		return &sourceresolver.MetaResponse{HTTP: &sourceresolver.ResolveHTTPResponse{Digest: digest.FromString("other")}}, nil
	}}
	buildertest.Expect(t, running(t, Request{}).failed("cpu").Download(t.Context(), gw, r, c.downloads(), failed), fault.Digest, false, deb.URL+" has changed", "mlbuild lock --upgrade system")
	if deb.File() != "libgomp1_1+b_amd64.deb" {
		t.Errorf("its file is %s", deb.File())
	}
}

// Only what apt or dpkg has to do needs programs of the platform.
func TestRunsApt(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", someSystem)
	byApt := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nsystem: {runtime: [libgomp1], strategy: apt}\n")
	s := newAptStub()
	layers, _ := s.again(t, nil, LockOptions{}, r)
	configured := layers.Clone()
	configured.Systems[0].Packages = []buildlock.Package{{Name: "libgomp1", Way: buildlock.Dpkg}}
	for _, test := range []struct {
		name   string
		Recipe *recipe.Recipe
		lock   *buildlock.Lock
		target string
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
		if got := runsApt(test.Recipe, test.lock, test.target); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestLockBare: the base of packages has no image to look up or to pin; apt answers on the tool image.
func TestLockBare(t *testing.T) {
	image, bare := buildertest.Recipe(t, "cpu", someSystem), buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {kind: debian}\n")
	s := newAptStub()
	old, _ := s.again(t, nil, LockOptions{}, image)
	lock, asked := s.again(t, old, LockOptions{}, bare)
	list := lock.Systems[0]
	if asked != 1 || len(lock.Images) != 0 || len(lock.Systems) != 1 || list.Image != "debian bookworm" || list.Digest != "" || !slices.Contains(list.Links, buildlock.Link{Path: "/lib64", Target: "usr/lib64"}) {
		t.Errorf("asked %d times: %+v", asked, lock)
	}
	if id, _ := s.lookups.Load().(string); id != "docker-image://"+bare.Tool {
		t.Errorf("looked up %s", id)
	}
	if back, err := buildlock.Parse(buildlock.FileName, lock.Marshal()); err != nil || string(back.Marshal()) != string(lock.Marshal()) {
		t.Errorf("%v\n%s", err, lock.Marshal())
	}
	if err := checkBuildLock(Request{Locked: true}, lock, variantOf(bare)); err != nil {
		t.Errorf("the lock does not fit: %v", err)
	}
	nobody := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New("no registry") }}
	b := running(t, Request{})
	b.system = lock
	base, err := b.lookupBase(t.Context(), nobody, bare, b.worker)
	if err != nil || !base.Bare || base.Distro != "debian-bookworm" {
		t.Errorf("%+v, %v", base, err)
	}
	if runsApt(bare, nil, "") || runsApt(bare, lock, "base") {
		t.Error("it needs programs of its platform")
	}
}

// TestBareNeedsNoDpkg: what only dpkg could configure is refused when it is locked.
func TestBareNeedsNoDpkg(t *testing.T) {
	s := newAptStub()
	answers := s.OnSolve
	s.OnSolve = func(def string) (map[string]string, error) {
		if strings.Contains(def, query.SystemWays) {
			return map[string]string{query.SystemWays: `[{"package": "libgomp1", "way": "dpkg", "reason": "it calls x"}]`}, nil
		}
		return answers(def)
	}
	r := buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {kind: debian}\n")
	b := running(t, Request{})
	_, err := b.askApt(t.Context(), s, r, query.SystemInputs{Base: llb.NewBare(r, b.worker), Platform: b.worker})
	buildertest.Expect(t, err, fault.Deb, false, "libgomp1 1 cannot be a layer: it calls x", "the base debian bookworm has no dpkg")
}
