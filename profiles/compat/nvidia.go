package compat

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// NvidiaEnv is what makes the NVIDIA container runtime give a container its GPUs.
var NvidiaEnv = []recipe.Pair{{Name: "NVIDIA_DRIVER_CAPABILITIES", Value: "compute,utility"}, {Name: "NVIDIA_VISIBLE_DEVICES", Value: "all"}}

// Env gives the image's environment once the CUDA of the lock is known ("12.6", or "12" where only the major
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
