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

// capabilities is the variable by which the NVIDIA container runtime knows what of the driver a container needs.
const capabilities = "NVIDIA_DRIVER_CAPABILITIES"

// WithBase returns the image's variables with what a base asks of the driver beside what mlbuild asks by itself: a base for video or graphics knows what its programs need. A
// value that the project names stays. baseEnv is NAME=value, as an image's config has it.
func WithBase(env []recipe.Pair, baseEnv []string) []recipe.Pair {
	i := slices.Index(env, NvidiaEnv[0])
	if i < 0 {
		return env
	}
	if more := without(capabilitiesOf(baseEnv), env[i].Value); more != "" {
		env = slices.Clone(env)
		env[i].Value = joined(env[i].Value, more)
	}
	return env
}

// LeftCapabilities are the capabilities that a base asks of the driver and the project's own value does not, "" = none.
func LeftCapabilities(env []recipe.Pair, baseEnv []string) string {
	i := slices.IndexFunc(env, func(p recipe.Pair) bool { return p.Name == capabilities && p != NvidiaEnv[0] && !p.Refers })
	if i < 0 {
		return ""
	}
	return without(capabilitiesOf(baseEnv), env[i].Value)
}

func capabilitiesOf(env []string) string {
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, capabilities+"="); ok {
			return value
		}
	}
	return ""
}

// without are the capabilities of a list that are not in another; all is every one.
func without(list, have string) string {
	had := strings.Split(have, ",")
	if slices.Contains(had, "all") {
		return ""
	}
	var left []string
	for _, c := range strings.Split(list, ",") {
		if c = strings.TrimSpace(c); c != "" && !slices.Contains(had, c) {
			left = append(left, c)
		}
	}
	return strings.Join(left, ",")
}

// joined are the capabilities of both lists.
func joined(list, more string) string {
	if slices.Contains(strings.Split(more, ","), "all") {
		return "all"
	}
	return list + "," + more
}

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
