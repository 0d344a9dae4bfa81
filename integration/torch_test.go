package integration

import (
	"archive/tar"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// torchProject has torch only as the requirement of another package.
func torchProject(t *testing.T) *project {
	t.Helper()
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), `profiles:
  gpu: {accelerator: {cuda: "12.6"}}
  default: {accelerator: cuda}
`)
	p.write("requirements.txt", "needs-torch\ntorchvision\n")
	p.write("main.py", "import needs_torch, torch\nprint(torch.__version__, torch.version.cuda)\n")
	return p
}

func TestTorchByProfile(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := torchProject(t)
	tests := []struct {
		profile string
		wheels  []string
		prints  string
		cuda    string
	}{
		{"cpu", []string{"needs-torch 1.0", "torch 2.9.1+cpu", "torchvision 0.24.1+cpu"}, "2.9.1+cpu None\n", ""},
		{"gpu", []string{"needs-torch 1.0", "nvidia-cuda-runtime-cu12 12.6.77", "nvidia-cudnn-cu12 9.10.2.21", "torch 2.9.1+cu126", "torchvision 0.24.1+cu126"},
			"2.9.1+cu126 12.6\n", "12.6"},
		{"default", []string{"needs-torch 1.0", "nvidia-cuda-runtime-cu12 12.8.90", "nvidia-cudnn-cu12 9.10.2.21", "torch 2.9.1", "torchvision 0.24.1"},
			"2.9.1 12.8\n", "12.8"},
	}
	for _, tt := range tests {
		t.Run(tt.profile, func(t *testing.T) {
			p.t = t
			repoTag := "torch:" + tt.profile
			image, ref, lock := torchImage(t, tb, b, p, tt.profile)
			if d := cmp.Diff(tt.wheels, namesAndVersions(lockedWheels(t, "lock", lock))); d != "" {
				t.Errorf("lock (-want +got):\n%s", d)
			}
			if image.CUDA != tt.cuda {
				t.Errorf("the result says CUDA %q, want %q", image.CUDA, tt.cuda)
			}
			got := readBack(t, tb.Registry, repoTag)
			got.checkAll(time.Unix(0, 0))
			got.checkPackages(tb, ref, "lock", lock)
			if out := inImage(t, tb, ref); out != tt.prints {
				t.Errorf("main.py says %q, want %q", out, tt.prints)
			}
			checkCUDA(t, got, tt.cuda)
		})
	}
}

// torchImage locks, builds and pushes one profile.
func torchImage(t *testing.T, tb *testbed.Testbed, b *builder.Builder, p *project, profile string) (builder.Image, string, []byte) {
	t.Helper()
	p.lock(b, profile, builder.LockOptions{})
	ref := tb.Registry.Ref("torch:" + profile)
	v := p.variant(profile, ref)
	req := p.request(v)
	p.pin(b, &req)
	return mustBuild(t, b, req).Images[0], ref, v.Lock
}

func namesAndVersions(wheels []pylock.Wheel) []string {
	var all []string
	for _, w := range wheels {
		all = append(all, w.Name+" "+w.Version)
	}
	return all
}

var cudaLibrary = regexp.MustCompile(`^lib(cu[a-z]*|nv[a-z]*|nccl)[a-zA-Z_]*\.so(\.[0-9.]+)?$`)

// checkCUDA wants none of CUDA for "", else each library of it once by name and once by content, the variables of the NVIDIA runtime, and a
// base without CUDA.
func checkCUDA(t *testing.T, got *pushed, cuda string) {
	t.Helper()
	if cuda == "" {
		checkNoNVIDIA(t, got)
		return
	}
	names, sums := map[string][]string{}, map[string][]string{}
	for _, l := range got.layers {
		for _, e := range l.entries {
			if strings.Contains(e.Name, "/triton/backends/") {
				continue // Triton's wheel holds a CUPTI of its own for its profiler, under three names
			}
			if e.Typeflag == tar.TypeReg && cudaLibrary.MatchString(path.Base(e.Name)) {
				names[path.Base(e.Name)] = append(names[path.Base(e.Name)], e.Name)
				sums[e.SHA256] = append(sums[e.SHA256], e.Name)
			}
		}
	}
	for _, places := range []map[string][]string{names, sums} {
		for _, files := range places {
			if len(files) > 1 {
				t.Errorf("a library is there more than once: %q", files)
			}
		}
	}
	if len(names) < 2 {
		t.Errorf("CUDA libraries: %v", names)
	}
	t.Logf("%d CUDA libraries", len(names))
	for name := range got.tree {
		if strings.HasPrefix(name, "usr/local/cuda") {
			t.Errorf("the base brings %s", name)
		}
	}
	env := envOf(got.config.Config.Env)
	if env["NVIDIA_VISIBLE_DEVICES"] != "all" || env["NVIDIA_DRIVER_CAPABILITIES"] != "compute,utility" ||
		!strings.HasPrefix(env["NVIDIA_REQUIRE_CUDA"], "cuda>="+cuda+" driver>=") || env["CUDA_VERSION"] != "" {
		t.Errorf("environment %q", got.config.Config.Env)
	}
}

// TestRealTorch pushes the CUDA torch of the default index, 3 GB: only when asked to.
func TestRealTorch(t *testing.T) {
	if os.Getenv("MLBUILD_TEST_LARGE") != "1" {
		t.Skip("3 GB of wheels: MLBUILD_TEST_LARGE=1 runs it")
	}
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	began := time.Now()
	image, ref, lock := torchImage(t, tb, b, example(t, "torch"), "gpu")
	t.Logf("%.0f s with the lock; %.0f s, %d bytes, %+v", time.Since(began).Seconds(), image.Seconds, image.Size, *image.Layers)
	wheels := lockedWheels(t, "lock", lock)
	var packages []compat.Package
	for _, w := range wheels {
		packages = append(packages, compat.Package{Name: w.Name, Version: w.Version})
	}
	cuda := compat.Known().Frameworks.CUDA(packages)
	if cuda == "" || image.CUDA != cuda {
		t.Fatalf("CUDA %q in the lock, %q in the result", cuda, image.CUDA)
	}
	got := readBack(t, tb.Registry, "torch:gpu")
	t.Logf("%d layers", len(got.layers))
	got.checkAll(time.Unix(0, 0))
	got.checkPackages(tb, ref, "lock", lock)
	checkUser(t, tb, ref)
	out := inImage(t, tb, ref)
	i := slices.IndexFunc(wheels, func(w pylock.Wheel) bool { return w.Name == "torch" })
	if !strings.HasPrefix(out, "torch "+wheels[i].Version) || !strings.Contains(out, " CUDA "+cuda+" on cpu") || !strings.Contains(out, "[[15.0, 18.0, 21.0]") {
		t.Errorf("train.py says %s, want CUDA %s", out, cuda)
	}
	checkCUDA(t, got, cuda)
}
