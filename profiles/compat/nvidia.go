package compat

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// NvidiaEnv is what makes the NVIDIA container runtime give a container its GPUs.
var NvidiaEnv = []recipe.Pair{{Name: "NVIDIA_DRIVER_CAPABILITIES", Value: "compute,utility"}, {Name: "NVIDIA_VISIBLE_DEVICES", Value: "all"}}

// Env returns the image's environment once the CUDA of the lock is known ("12.6", or "12" where only the major
// is; "" = none): App.Env, and for a CUDA profile NVIDIA_REQUIRE_CUDA, by which the NVIDIA runtime refuses a host
// whose driver is too old. As in NVIDIA's own images a space separates alternatives: the driver knows this CUDA,
// or it is new enough for the CUDA's major (minor version compatibility).
func Env(r *recipe.Recipe, cuda string) []recipe.Pair {
	if r.Accelerator.Kind != recipe.CUDA || cuda == "" {
		return slices.Clone(r.App.Env)
	}
	if !strings.Contains(cuda, ".") {
		cuda += ".0"
	}
	need := "cuda>=" + MinorOf(cuda)
	if driver, _ := MinDriver(cuda); driver != "" {
		need += " driver>=" + MajorOf(driver)
	}
	return recipe.Over([]recipe.Pair{{Name: "NVIDIA_REQUIRE_CUDA", Value: need}}, r.App.Env)
}

// DriverFault is nil if the driver runs the CUDA, as far as the tables know.
func DriverFault(cuda, driver string) *fault.Fault {
	floor, _ := MinDriver(cuda)
	if floor == "" || CompareVersions(driver, floor) >= 0 {
		return nil
	}
	f := fault.New(fault.Cuda, "CUDA %s needs driver %s or newer, the profile promises to run on %s", cuda, floor, driver)
	newest := ""
	for _, tag := range Torch().Tags() {
		candidate := CUDAOfTag(tag)
		if need, _ := MinDriver(candidate); CompareVersions(driver, need) >= 0 {
			newest = candidate
		}
	}
	if newest != "" {
		f.Hint("driver %s runs CUDA up to %s: cuda: %q", driver, newest, newest)
	}
	return f.Hint("or raise min_driver to %s", floor)
}

// CUDABuild returns what a package that is compiled with CUDA needs: the image with the toolkit ("" = the tables know none), the toolkit's directory in it, and the
// compute capabilities to compile for. cuda has two or three parts.
func CUDABuild(cuda string) (image, dir, architectures string) {
	image, _ = NvidiaImage(cuda, "devel", "")
	return image, "/usr/local/cuda-" + MinorOf(cuda), cudaArchitectures(cuda)
}

// cudaArchitectures lists the compute capabilities that a CUDA compiles for, as TORCH_CUDA_ARCH_LIST wants them: the newest also as PTX.
func cudaArchitectures(cuda string) string {
	capabilities := map[string]bool{"7.5": true, "8.0": true, "8.6": true, "8.9": true} // every CUDA from 11.8 on compiles for these
	for _, row := range Known().GPUs {
		if CompareVersions(CUDAOfTag(row.CUDA), cuda) <= 0 {
			capabilities[row.Capability] = true
		}
	}
	return strings.Join(slices.SortedFunc(maps.Keys(capabilities), CompareVersions), ";") + "+PTX"
}
