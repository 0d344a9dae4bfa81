package builder

import (
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestGPUFor: only devices that the daemon's owner gives to every build are used, and only for images that want them.
func TestGPUFor(t *testing.T) {
	allowed := func(names ...string) (all []bkclient.CDIDevice) {
		for _, n := range names {
			all = append(all, bkclient.CDIDevice{Name: n, AutoAllow: true})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		devices []bkclient.CDIDevice
		change  func(*recipe.Recipe)
		want    string
	}{
		{"none", nil, nil, ""},
		{"all of them", allowed("nvidia.com/gpu=0", "nvidia.com/gpu=all", "nvidia.com/gpu=1"), nil, "nvidia.com/gpu=all"},
		{"one", allowed("vendor.com/device=x", "nvidia.com/gpu=0"), nil, "nvidia.com/gpu=0"},
		{"not for everybody", []bkclient.CDIDevice{{Name: "nvidia.com/gpu=all"}}, nil, ""},
		{"another kind", allowed("amd.com/gpu=all"), nil, ""},
		{"the project does without", allowed("nvidia.com/gpu=all"), func(r *recipe.Recipe) { r.Checks.NoGPU = true }, ""},
		{"an image without CUDA", allowed("nvidia.com/gpu=all"), func(r *recipe.Recipe) { r.Accelerator.Kind = recipe.NoAccelerator }, ""},
	} {
		r := &recipe.Recipe{Accelerator: recipe.Accelerator{Kind: recipe.CUDA}}
		if c.change != nil {
			c.change(r)
		}
		if got := gpuFor(r, []*bkclient.WorkerInfo{{CDIDevices: c.devices}}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := gpuFor(&recipe.Recipe{Accelerator: recipe.Accelerator{Kind: recipe.CUDA}}, nil); got != "" {
		t.Errorf("of a daemon that names no worker: %q", got)
	}
}

// TestChecksNeedAnEmulator: an image of another platform cannot be run before it is published, and the last hint is how to do without.
func TestChecksNeedAnEmulator(t *testing.T) {
	b := &Builder{daemon: &daemon.Daemon{Addr: "unix:///run/stub.sock", Platforms: []string{"linux/amd64"}}}
	r := &recipe.Recipe{Profile: "cpu", Platform: "linux/arm64", Requires: recipe.Requirements{Packages: []string{"idna"}}}
	faults := b.canRun(r, nil, "", llb.CheckPackages)
	if len(faults) != 1 || faults[0].Code != fault.Platform || !strings.Contains(faults[0].Message, "is run before it is published") {
		t.Fatalf("%v", faults)
	}
	if hints := faults[0].Hints; !strings.HasPrefix(hints[0], "install the emulator") || !strings.HasSuffix(hints[len(hints)-1], "--checks=none") {
		t.Errorf("hints %q", hints)
	}
	for name, got := range map[string]fault.List{
		"without checks":   b.canRun(r, nil, "", llb.NoChecks),
		"another stage":    b.canRun(r, nil, "dev", llb.CheckAll),
		"without packages": b.canRun(&recipe.Recipe{Profile: "cpu", Platform: "linux/arm64"}, nil, "", llb.CheckAll),
	} {
		if len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
