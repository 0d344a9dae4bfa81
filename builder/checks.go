package builder

import (
	"strings"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Checks says which checks an image has to pass before it is published.
type Checks string

// The choices.
const (
	CheckAll      Checks = "all"  // what is installed works, the project's own files find it, and its service answers
	CheckPackages Checks = "deps" // what is installed works
	CheckNothing  Checks = "none"
)

// graph returns the checks that are part of the graph. The zero value is all.
func (c Checks) graph() llb.Checks {
	switch c {
	case CheckNothing:
		return llb.NoChecks
	case CheckPackages:
		return llb.CheckPackages
	}
	return llb.CheckAll
}

// isRuntime reports whether a target is the image that is shipped, which alone is checked.
func isRuntime(target string) bool { return target == "" || target == string(recipe.StageRuntime) }

// checksAll reports whether the request's images have to pass every check.
func (r Request) checksAll() bool {
	return r.Checks.graph() == llb.CheckAll && isRuntime(r.Target)
}

// gpuKind is the kind of NVIDIA's devices (Container Device Interface), and allGPUs the one that stands for all of them.
const (
	gpuKind = "nvidia.com/gpu="
	allGPUs = gpuKind + "all"
)

// gpuFor returns the device with which the checks of an image run, "" = none: an image for CUDA gets all GPUs of a daemon that offers them, and whose owner lets any build have them, unless the
// project does without.
func gpuFor(r *recipe.Recipe, workers []*bkclient.WorkerInfo) (device string) {
	if r.Accelerator.Kind != recipe.CUDA || r.Checks.NoGPU || len(workers) == 0 {
		return ""
	}
	for _, d := range workers[0].CDIDevices {
		if strings.HasPrefix(d.Name, gpuKind) && d.AutoAllow && (device == "" || d.Name == allGPUs) {
			device = d.Name
		}
	}
	return device
}
