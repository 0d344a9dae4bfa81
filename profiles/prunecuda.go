package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// cudaLibraries is the rule for the libraries that a base of kind cuda has and wheels bring once more.
const cudaLibraries = "cuda-libraries"

// cudaRuntimePatterns are the libraries of every variant of nvidia/cuda, cudaToolkitPatterns those that the variant base lacks. The first pattern of each is of the
// wheels for CUDA 12, from 13 on all of them share a directory. cuDNN and NCCL are not among them: their versions do not follow from CUDA's, and a framework refuses an older one.
var (
	cudaRuntimePatterns = []string{"nvidia/cuda_runtime/lib/lib*.so*", "nvidia/cu1[3-9]/lib/libcudart.so*"}
	cudaToolkitPatterns = cudaWheelPatterns("cublas", "cuda_nvrtc", "cufft", "cufile", "curand", "cusolver", "cusparse", "nvjitlink", "nvjpeg", "npp", "nvfatbin", "nvtx")
)

func cudaWheelPatterns(libraries ...string) []string {
	var all []string
	for _, l := range libraries {
		all = append(all, "nvidia/"+l+"/lib/lib*.so*")
	}
	for _, name := range []string{"cublas", "cublasLt", "nvblas", "nvrtc*", "cufft*", "cufile*", "curand", "cusolver*", "cusparse", "nvJitLink", "nvjpeg", "npp*", "nvfatbin", "nvtx*"} {
		all = append(all, "nvidia/cu1[3-9]/lib/lib"+name+".so*")
	}
	return all
}

// baseCUDA is what the rule needs to know of the base and of what the packages want.
type baseCUDA struct {
	accelerator      recipe.Accelerator
	kind             recipe.BaseKind
	version, variant yamldoc.String // as the project names them
}

// cudaRule fits the rule to the base; without patterns it leaves nothing out. The libraries of an older CUDA cannot stand for those of the wheels.
func cudaRule(report *yamldoc.Report, rule recipe.PruneRule, s yamldoc.String, has baseCUDA) recipe.PruneRule {
	if has.accelerator.Kind != recipe.CUDA {
		return recipe.PruneRule{}
	}
	if has.kind != recipe.BaseCUDA {
		report.Notef("%s leaves nothing out: the base has no CUDA of its own", cudaLibraries)
		return recipe.PruneRule{}
	}
	version, wanted := has.version.Or(has.accelerator.CUDA), has.accelerator.CUDA
	switch {
	case wanted == "":
		report.Specf(s.At, "%s needs to know the CUDA of the packages, to hold it against the base's %s", cudaLibraries, version).Hint("write accelerator: {cuda: %q}", compat.MinorOf(version))
	case compat.MajorOf(version) != compat.MajorOf(wanted) || compat.CompareVersions(compat.MinorOf(version), compat.MinorOf(wanted)) < 0:
		report.Add(fault.New(fault.Cuda, "the base has CUDA %s, whose libraries cannot stand for those of CUDA %s in the packages", version, wanted).In(s.At).
			Hint("take %s out of prune, or leave out base.version: it follows accelerator.cuda", cudaLibraries))
	case has.variant.Or("runtime") == "base":
		rule.Patterns = slices.Clone(cudaRuntimePatterns)
	}
	return rule
}
