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

// cudaRule fits the rule to the base; without patterns it leaves nothing out. The libraries of an older CUDA cannot stand for those of the wheels.
func (r *resolver) cudaRule(rule recipe.PruneRule, s yamldoc.String) recipe.PruneRule {
	a, base := r.recipe.Accelerator, r.spec.base
	if a.Kind != recipe.CUDA {
		return recipe.PruneRule{}
	}
	if r.recipe.Base.Kind != recipe.BaseCUDA {
		r.Notef("%s leaves nothing out: the base has no CUDA of its own", cudaLibraries)
		return recipe.PruneRule{}
	}
	has := base.version.Or(a.CUDA)
	switch {
	case a.CUDA == "":
		r.Specf(s.At, "%s needs to know the CUDA of the packages, to hold it against the base's %s", cudaLibraries, has).Hint("Write accelerator: {cuda: %q}.", compat.MinorOf(has))
	case compat.MajorOf(has) != compat.MajorOf(a.CUDA) || compat.CompareVersions(compat.MinorOf(has), compat.MinorOf(a.CUDA)) < 0:
		r.Add(fault.New(fault.Cuda, "the base has CUDA %s, whose libraries cannot stand for those of CUDA %s in the packages", has, a.CUDA).In(s.At).
			Hint("Take %s out of prune, or leave out base.version: it follows accelerator.cuda.", cudaLibraries))
	case base.variant.Or("runtime") == "base":
		rule.Patterns = slices.Clone(cudaRuntimePatterns)
	}
	return rule
}
