package integration

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// noEmulator skips where the daemon runs arm64 programs.
func noEmulator(t *testing.T, d *testbed.Daemon) {
	t.Helper()
	c, err := d.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	workers, err := c.ListWorkers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range workers[0].Platforms {
		if p.Architecture == "arm64" {
			t.Skip("this machine has an emulator for arm64, the test is about one that has none")
		}
	}
}

// System packages are installed by the platform's own programs.
func TestSystemPackagesNeedAnEmulator(t *testing.T) {
	tb := testbed.Shared(t)
	noEmulator(t, tb.Daemon)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := indexed(t, x, "one", "system: {runtime: [libgomp1]}\n")
	p.handLock(x, entry{name: "one", version: "1.0", files: []string{pure(x, "one", "1.0")}})
	x.Reset()
	err := p.attempt(b, p.quiet(p.variantOn("cpu", []string{"linux/amd64", "linux/arm64"})))
	want{code: fault.Platform, says: []string{"profile cpu on linux/arm64 installs system packages", tb.Daemon.Addr(), "linux/amd64"},
		hints: []string{"qemu-user-static", "--addr"}}.check(t, err)
	if n := len(fault.All(err)); n != 1 {
		t.Errorf("%d faults, want the one of arm64: %v", n, err)
	}
	if log := x.Log(); len(log) > 0 {
		t.Errorf("the daemon was sent to work: %v", log)
	}
}

// A lock lists layers, which are unpacked without running anything of the platform.
func TestLockedSystemPackagesNeedNoEmulator(t *testing.T) {
	tb := testbed.Shared(t)
	noEmulator(t, tb.Daemon)
	b := connect(t, tb.Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	p := packaged(t, "3.11", "{runtime: [sample-tool], repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
	p.write("team.asc", string(repo.Key))
	native, err := p.systemLock(b, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := native.Lock.Systems[0]
	foreign.Platform, foreign.Architecture = "linux/arm64", "arm64"
	native.Lock.PutSystem("cpu", foreign)

	ref := tb.Registry.Ref("foreign/packages:1.0")
	req := p.request(p.variantOn("cpu", []string{"linux/amd64", "linux/arm64"}, ref))
	req.BuildLock = native.Lock.Marshal()
	mustBuild(t, b, req)
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		img, err := tb.Registry.Pull(t.Context(), "foreign/packages:1.0", platform)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := testbed.ReadFile(img, "usr/share/sample-tool/version"); err != nil || string(data) != "1.0" {
			t.Errorf("%s: %q, %v", platform, data, err)
		}
	}
}

// Wheels of another platform are unpacked without running anything of it.
func TestTwoPlatformsWithoutAnEmulator(t *testing.T) {
	tb := testbed.Shared(t)
	noEmulator(t, tb.Daemon)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	const x86, arm = "cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_28_aarch64"
	x.AddWheel("simple", "native", "1.0", x86, map[string]string{"native/_c.so": "machine code of x86_64"})
	x.AddWheel("simple", "native", "1.0", arm, map[string]string{"native/_c.so": "machine code of aarch64"})
	p := indexed(t, x, "native, one", "")
	p.handLock(x, entry{name: "native", version: "1.0", files: []string{wheeltest.Filename("native", "1.0", x86), wheeltest.Filename("native", "1.0", arm)}},
		entry{name: "one", version: "1.0", files: []string{pure(x, "one", "1.0")}})
	ref := tb.Registry.Ref("faults/both:1")
	res := mustBuild(t, b, p.request(p.variantOn("cpu", []string{"linux/amd64", "linux/arm64"}, ref)))
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, res.Images[0].Platforms); diff != "" {
		t.Error(diff)
	}
	layers := map[string][]string{}
	for platform, code := range map[string]string{"linux/amd64": "machine code of x86_64", "linux/arm64": "machine code of aarch64"} {
		img, err := tb.Registry.Pull(t.Context(), "faults/both:1", platform)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.OS + "/" + cfg.Architecture; got != platform {
			t.Errorf("the config is for %s, want %s", got, platform)
		}
		tree, err := testbed.Tree(img)
		if err != nil {
			t.Fatal(err)
		}
		var found string
		for name := range tree {
			if len(name) > 12 && name[len(name)-12:] == "native/_c.so" {
				found = name
			}
		}
		data, err := testbed.ReadFile(img, found)
		if err != nil || string(data) != code {
			t.Errorf("%s: native/_c.so is %q, %v; want %q", platform, data, err, code)
		}
		m, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range m.Layers {
			layers[platform] = append(layers[platform], l.Digest.String())
		}
	}
	// The bases' contents are equal here, so all but native's own bytes can be shared; the app's layer surely is.
	shared := 0
	for _, d := range layers["linux/amd64"] {
		if slices.Contains(layers["linux/arm64"], d) {
			shared++
		}
	}
	if shared == 0 || shared == len(layers["linux/amd64"]) {
		t.Errorf("%d of %d layers are shared, want some and not all", shared, len(layers["linux/amd64"]))
	}
	tag, err := tb.Registry.Digest(t.Context(), "faults/both:1")
	if err != nil || tag != res.Images[0].Digest {
		t.Errorf("the tag is at %s, %v; the build says %s", tag, err, res.Images[0].Digest)
	}
}
