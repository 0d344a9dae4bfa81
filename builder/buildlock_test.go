package builder

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// lockAgain runs LockBuild's work for recipes on an earlier lock, and tells how often apt was asked.
func lockAgain(t *testing.T, s *buildertest.Apt, old *buildlock.Lock, o LockOptions, recipes ...*recipe.Recipe) (*buildlock.Lock, int64) {
	t.Helper()
	b := running(t, Request{})
	if b.system = old; o.All || o.Base {
		b.system = old.WithoutImages()
	}
	before := s.Asked.Load()
	to := &BuildLocked{Old: old, Lock: old.Clone()}
	if err := lockBuild(t.Context(), b.asker(s, Variant{}, diagnose.NewWatcher(nil)), recipes, o, to); err != nil {
		t.Fatal(err)
	}
	return to.Lock, s.Asked.Load() - before
}

func TestLockSystem(t *testing.T) {
	const yaml = "python: {requirements: []}\nsystem: {runtime: [libgomp1, zlib1g]}\n"
	cpu, gpu := buildertest.Recipe(t, "cpu", yaml), buildertest.Recipe(t, "gpu", yaml)
	s := buildertest.NewApt()
	first, asked := lockAgain(t, s, nil, LockOptions{}, cpu, gpu)
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
				Handling: buildlock.Rules, Reason: "sets an alternative"}},
		}},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if back, err := buildlock.Parse(buildlock.FileName, first.Marshal()); err != nil || cmp.Diff(want, back) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, back))
	}

	s.Version, s.Image = "2", "a newer image"
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
			l, asked := lockAgain(t, s, first, test.options, test.Recipe)
			if asked != test.asked {
				t.Errorf("apt was asked %d times, want %d", asked, test.asked)
			}
			if got := l.Digest(cpu.Base.Ref); got != digest.FromString(test.image).String() {
				t.Errorf("the base is %s", got)
			}
			if def, _ := s.Last.Load().(string); test.asked > 0 && strings.Contains(def, "Package: libgomp1\nPin: version 1\n") != test.keeps {
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

// TestLockPackageBase: the base of packages has no image to look up or to pin; apt answers on the tool image.
func TestLockPackageBase(t *testing.T) {
	image, bare := buildertest.Recipe(t, "cpu", buildertest.SomeSystem), buildertest.Recipe(t, "cpu", "python: {requirements: []}\nbase: {kind: debian}\n")
	s := buildertest.NewApt()
	old, _ := lockAgain(t, s, nil, LockOptions{}, image)
	lock, asked := lockAgain(t, s, old, LockOptions{}, bare)
	list := lock.Systems[0]
	if asked != 1 || len(lock.Images) != 0 || len(lock.Systems) != 1 || list.Image != "debian bookworm" || list.Digest != "" || !slices.Contains(list.Links, buildlock.Link{Path: "/lib64", Target: "usr/lib64"}) {
		t.Errorf("asked %d times: %+v", asked, lock)
	}
	if id, _ := s.Lookups.Load().(string); id != "docker-image://"+bare.Tool {
		t.Errorf("looked up %s", id)
	}
	if back, err := buildlock.Parse(buildlock.FileName, lock.Marshal()); err != nil || string(back.Marshal()) != string(lock.Marshal()) {
		t.Errorf("%v\n%s", err, lock.Marshal())
	}
	if _, err := (lookup.Locks{Refuse: true}).Usable("", []*recipe.Recipe{bare}, []byte("lock-version = \"1.0\"\n"), lock); err != nil {
		t.Errorf("the lock does not fit: %v", err)
	}
	nobody := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New("no registry") }}
	b := running(t, Request{})
	b.system = lock
	base, err := b.asker(nobody, Variant{}, nil).Bases.Image(t.Context(), bare)
	if err != nil || !base.OfPackages || base.Distro != "debian-bookworm" {
		t.Errorf("%+v, %v", base, err)
	}
	if lookup.RunsApt(bare, nil, "") || lookup.RunsApt(bare, lock, recipe.StageBase) {
		t.Error("it needs programs of its platform")
	}
}
