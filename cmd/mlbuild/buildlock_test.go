package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// systemLock pins one base and, for each platform, the packages "name version".
func systemLock(digit string, packages ...string) *buildlock.Lock {
	const ref = "docker.io/library/python:3.11-slim"
	l := &buildlock.Lock{}
	l.PutImage("cpu", ref, "sha256:"+strings.Repeat(digit, 64))
	s := buildlock.System{Image: ref, Platform: "linux/amd64"}
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		s.Packages = append(s.Packages, buildlock.Package{Name: name, Version: version})
	}
	l.PutSystem("cpu", s)
	return l
}

func TestSystemChanges(t *testing.T) {
	two := systemLock("1", "libz 1")
	two.PutSystem("cpu", buildlock.System{Image: "docker.io/library/python:3.11-slim", Platform: "linux/arm64", Packages: []buildlock.Package{{Name: "libz", Version: "2"}}})
	for _, test := range []struct {
		name     string
		old, now *buildlock.Lock
		want     []string
	}{
		{"nothing", systemLock("1", "libz 1"), systemLock("1", "libz 1"), nil},
		{"packages", systemLock("1", "gone 1", "libz 1"), systemLock("1", "libz 2", "new 3"), []string{"- gone 1", "~ libz 1 → 2", "+ new 3"}},
		{"the base", systemLock("1"), systemLock("2"), []string{"~ docker.io/library/python:3.11-slim sha256:111111111111 → sha256:222222222222"}},
		{"a platform", systemLock("1", "libz 1"), two, []string{"+ libz (linux/arm64 on docker.io/library/python:3.11-slim) 2"}},
		{"the first lock", nil, systemLock("1", "libz 1"), []string{"+ docker.io/library/python:3.11-slim sha256:111111111111", "+ libz 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range systemChanges(test.old, test.now) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPrintSystemLock(t *testing.T) {
	old, now := systemLock("1", "libz 1"), systemLock("1", "libz 2")
	for _, test := range []struct {
		name        string
		fresh, same bool
		want        string
	}{
		{"new", true, false, "mlbuild.lock: 1 image, 1 system package, new\n"},
		{"unchanged", false, true, "mlbuild.lock: 1 image, 1 system package, unchanged\n"},
		{"changed", false, false, "mlbuild.lock: 1 image, 1 system package, changed\n  ~ libz 1 → 2\n"},
	} {
		e, out, _ := testEnv()
		changes := systemChanges(old, now)
		if test.same {
			changes = nil
		}
		printSystemLock(e, now, changes, test.fresh, test.same)
		if out.String() != test.want {
			t.Errorf("%s: %q", test.name, out)
		}
	}
}
