package integration

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// locked builds with --locked.
func (p *project) locked(b *builder.Builder) error {
	p.t.Helper()
	req := p.quiet(p.variant("cpu"))
	p.pin(b, &req)
	return p.attempt(b, req)
}

// pinFile writes the project's mlbuild.lock.
func (p *project) pinFile(b *builder.Builder) {
	p.t.Helper()
	req := p.request(p.variant("cpu"))
	p.pin(b, &req)
	p.write(buildlock.FileName, string(req.BuildLock))
}

// pin gives a request --locked, and an mlbuild.lock that pins its base.
func (p *project) pin(b *builder.Builder, req *builder.Request) {
	p.t.Helper()
	system, err := b.LockBuild(p.t.Context(), *req, builder.LockOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	req.BuildLock, req.Locked = system.Data, true
}

// TestLockStale makes a real lock and then changes what it answers.
func TestLockStale(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	pure(x, "one", "1.0")
	pure(x, "two", "2.0")
	p := indexed(t, x, "one", "")

	want{fault.LockStale, []string{"profile cpu has no lock, and --locked forbids resolving"}, []string{"mlbuild lock --profile cpu"}, false}.check(t, p.locked(b))
	p.lock(b, "cpu", builder.LockOptions{})
	if err := p.locked(b); err != nil {
		t.Fatalf("a fresh lock is refused: %v", err)
	}

	other := indexed(t, x, "one, two", "  version: \"3.13\"\n")
	req := other.quiet(other.variant("cpu"))
	req.Variants[0].Lock = p.variant("cpu").Lock
	other.pin(b, &req)
	err := other.attempt(b, req)
	want{fault.LockStale, []string{"the lock does not fit the project any more", "it is for Python 3.11, the project wants 3.13", "it lacks two"},
		[]string{"mlbuild lock --profile cpu"}, false}.check(t, err)
	if at := fault.All(err)[0].At.File; at != lockFile {
		t.Errorf("the fault is at %q", at)
	}

	var notes []string
	req.Locked = false
	req.Note = func(format string, _ ...any) { notes = append(notes, format) }
	if err := other.attempt(b, req); err != nil {
		t.Errorf("a stale lock is not passed over: %v", err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "is stale") {
		t.Errorf("notes %q, want one about the stale lock", notes)
	}
}

// TestLockFaults builds from locks that other tools wrote.
func TestLockFaults(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	file := pure(x, "one", "1.0")
	sum := x.Sum("simple", file)
	tagged := func(tags ...string) (e entry) {
		e = entry{name: "native", version: "1.0"}
		for _, tag := range tags {
			x.AddWheel("simple", "native", "1.0", tag, map[string]string{"native/__init__.py": ""})
			e.files = append(e.files, wheeltest.Filename("native", "1.0", tag))
		}
		return e
	}
	bare := entry{name: "one", version: "1.0"}
	withHash := func(hashes string) entry {
		e := bare
		e.more = "wheels = [{ url = \"" + x.Simple() + "/" + file + "\", hashes = {" + hashes + "} }]"
		return e
	}
	fromIndex := func(index string) entry {
		e := withHash("sha256 = \"" + sum + "\"")
		e.more = "index = \"" + index + "\"\n" + e.more
		return e
	}
	for _, test := range []struct {
		name     string
		platform string
		more     string // of mlbuild.yaml
		lock     []entry
		want     want
	}{
		{"no hash", "", "", []entry{withHash("")}, want{code: fault.LockHash, says: []string{"one 1.0 from 127.0.0.1:", "no sha256", file}, hints: []string{"mlbuild lock"}}},
		{"md5 and sha1 only", "", "", []entry{withHash("md5 = \"aa\", sha1 = \"bb\"")}, want{code: fault.LockHash, says: []string{"only md5 and sha1, no sha256"}}},
		{"two indexes", "", "", []entry{fromIndex("https://a.example/simple"), fromIndex("https://b.example/simple")},
			want{code: fault.Index, says: []string{"one 1.0", "https://a.example/simple", "https://b.example/simple"}, hints: []string{"bind one to one index"}}},
		{"another version control", "", "", []entry{{name: "one", version: "1.0", more: "vcs = { type = \"hg\", url = \"https://hg.example/one\", commit-id = \"abc\" }"}},
			want{code: fault.Sdist, says: []string{"one 1.0 comes from hg, and mlbuild builds from git only"}, hints: []string{"source archive"}}},
		{"no wheel for arm64", "linux/arm64", "", []entry{tagged("cp311-cp311-manylinux_2_28_x86_64")},
			want{code: fault.Wheel, says: []string{"native 1.0 has no wheel for Python 3.11 on linux/arm64"}, hints: []string{"there are wheels for linux/amd64", "cp311-cp311-manylinux_2_28_x86_64"}}},
		{"no wheel for this Python", "", "", []entry{tagged("cp312-cp312-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_28_x86_64")},
			want{code: fault.Wheel, says: []string{"native 1.0 has no wheel for Python 3.11 on linux/amd64"}, hints: []string{"there are wheels for Python 3.12, Python 3.13"}}},
		{"glibc too new", "", "", []entry{tagged("cp311-cp311-manylinux_2_39_x86_64")},
			want{code: fault.ABI, says: []string{"native 1.0 needs glibc 2.39, the base image has 2.36"}, hints: []string{"Debian 13 has 2.41"}}},
		{"musl base", "", "base: docker.io/library/python:3.11-alpine\n", []entry{tagged("cp311-cp311-manylinux_2_28_x86_64")},
			want{code: fault.ABI, says: []string{"musl"}, hints: []string{"slim"}}},
		{"a path that leaves the project", "", "", []entry{{name: "one", version: "1.0", more: "wheels = [{ path = \"../" + file + "\", hashes = {sha256 = \"" + sum + "\"} }]"}},
			want{code: fault.Lock, says: []string{"one 1.0", "leaves the project"}}},
		{"a file URL", "", "", []entry{{name: "one", version: "1.0", more: "wheels = [{ url = \"file:///srv/" + file + "\", hashes = {sha256 = \"" + sum + "\"} }]"}},
			want{code: fault.Lock, says: []string{"file:// URL"}}},
		{"a wheel of the project that is not there", "", "", []entry{{name: "one", version: "1.0", more: "wheels = [{ path = \"wheels/" + file + "\", hashes = {sha256 = \"" + sum + "\"} }]"}},
			want{code: fault.Context, says: []string{"a requirement is missing", file}, hints: []string{"put it there, or renew the lock"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := indexed(t, x, "one", test.more)
			p.handLock(x, test.lock...)
			platform := test.platform
			if platform == "" {
				platform = "linux/amd64"
			}
			test.want.check(t, p.resolvedOr(b, platform))
		})
	}
}

// resolvedOr builds for a platform; a fault that is found while the project is read counts too.
func (p *project) resolvedOr(b *builder.Builder, platform string) error {
	p.t.Helper()
	r, err := p.recipe(platform)
	if err != nil {
		return err
	}
	return p.attempt(b, p.quiet(p.variantOn("cpu", []string{r.Platform})))
}

// TestResolveFaults lets uv find what no lock can be made of.
func TestResolveFaults(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.Add("simple", "only-source-1.0.tar.gz", []byte("no archive"))
	x.AddWheel("simple", "only-313", "1.0", "cp313-cp313-manylinux_2_28_x86_64", map[string]string{"a.py": ""})
	x.AddWheel("simple", "only-arm", "1.0", "cp311-cp311-manylinux_2_28_aarch64", map[string]string{"b.py": ""})
	x.AddWheel("simple", "only-new", "1.0", "cp311-cp311-manylinux_2_40_x86_64", map[string]string{"c.py": ""})
	x.AddWheel("simple", "boost", "3.0", pureTag, map[string]string{"boost.py": ""}, wheeltest.Requires("nvidia-nccl-cu12"))
	x.AddWheel("simple", "nvidia-nccl-cu12", "2.27", "py3-none-manylinux_2_17_x86_64", map[string]string{"nvidia/nccl/__init__.py": ""})
	x.AddWheel("simple", "trainer", "1.0", pureTag, map[string]string{"trainer.py": ""}, wheeltest.Requires("boost"))
	for _, test := range []struct {
		packages, more string
		want           want
	}{
		{"only-source", "", want{code: fault.Sdist, says: []string{"only-source", "cannot be unpacked"}, hints: []string{"ask for a version that has a wheel"}}},
		{"only-313", "", want{code: fault.Wheel, says: []string{"no wheel for Python 3.11", "only-313", "cp313"}, hints: []string{"python.version"}}},
		{"only-arm", "", want{code: fault.Wheel, says: []string{"only-arm", "on linux/amd64", "manylinux_2_28_aarch64"}}},
		{"only-new", "", want{code: fault.ABI, says: []string{"newer glibc", "only-new", "manylinux_2_40_x86_64"}, hints: []string{"Debian 13 has 2.41"}}},
		{"no-such-package", "", want{code: fault.Resolve, says: []string{"no-such-package", "profile cpu"}}},
		{"trainer", "", want{code: fault.Variant, says: []string{"the profile cpu is for CPU", "trainer → boost → nvidia-nccl-cu12"}, hints: []string{"allow: [boost]"}}},
		// Bound to the general index, torch comes with CUDA.
		{"needs-torch", "    - {name: general, url: \"" + x.Simple() + "/\", packages: [torch]}\n",
			want{code: fault.Variant, says: []string{"needs-torch → torch → nvidia-"}, hints: []string{"allow: [torch]"}}},
	} {
		t.Run(test.packages, func(t *testing.T) {
			test.want.check(t, indexed(t, x, test.packages, test.more).try(b))
		})
	}
	t.Run("the same on a base with a newer glibc", func(t *testing.T) {
		x.AddWheel("simple", "only-new", "1.0", "cp313-cp313-manylinux_2_40_x86_64", map[string]string{"c.py": ""})
		indexed(t, x, "only-new", "  version: \"3.13\"\n").succeeds(b)
	})
}
