package wheelbuild

import (
	"cmp"
	"fmt"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Places in a build.
const (
	CacheDir = "/var/cache/mlbuild-build" // what compilers and package managers of other languages can use again
	CUDAHome = "/usr/local/cuda"          // the CUDA toolkit
)

// sourceEpoch is the time that builds are told to write into archives: the first that a zip can hold, 1980-01-01.
const sourceEpoch = "315532800"

// environment is the variables of a build. What the project file says wins.
func environment(w pylock.Wheel, how recipe.PackageBuild, image Image, in Inputs) map[string]string {
	env := map[string]string{
		"SOURCE_DATE_EPOCH": sourceEpoch, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root",
		"CCACHE_DIR": CacheDir + "/ccache", "PIP_CACHE_DIR": CacheDir + "/pip", "CARGO_HOME": CacheDir + "/cargo",
		"PATH": "/usr/lib/ccache:" + cmp.Or(image.Base.Variable("PATH"), ops.SystemPath),
	}
	if how.Shared {
		env["PATH"] = "/mlbuild/env/bin:" + wheel.Venv + "/bin:" + env["PATH"]
	}
	if version := versionOf(w, image.Recipe, in.Tagged); version != "" {
		env[ops.PretendVariable(w.Name)] = version
		for _, name := range ops.VersionVariables {
			env[name] = version
		}
	}
	if how.Jobs > 0 {
		jobs := fmt.Sprint(how.Jobs)
		env["MAX_JOBS"], env["CMAKE_BUILD_PARALLEL_LEVEL"], env["MAKEFLAGS"] = jobs, jobs, "-j"+jobs
	}
	if withCUDA(how, in) {
		_, _, architectures := compat.CUDABuild(in.CUDA)
		env["CUDA_HOME"], env["FORCE_CUDA"], env["TORCH_CUDA_ARCH_LIST"] = CUDAHome, "1", architectures
		env["PATH"] = CUDAHome + "/bin:" + env["PATH"]
	}
	for _, p := range how.Env {
		env[p.Name] = p.Value
	}
	return env
}

// versionOf is what a build that reads its version off git's tags is told: the lock's, or for a package of the project what the tags say.
func versionOf(w pylock.Wheel, r *recipe.Recipe, tagged pypi.Tagged) string {
	switch w.Source.Type {
	case pylock.Git:
		return w.Version
	case pylock.Directory:
		local := append([]recipe.LocalSource{}, r.Requires.Local...)
		if p := r.Builder.Project; p != nil {
			local = append(local, *p)
		}
		if i := slices.IndexFunc(local, func(l recipe.LocalSource) bool { return l.Path == w.Source.Path && l.Git }); i >= 0 {
			return local[i].TaggedVersion(tagged)
		}
	}
	return ""
}

func withCUDA(how recipe.PackageBuild, in Inputs) bool {
	return how.CUDA && (in.Devel.Ref != "" || in.OwnCUDA)
}

// toolkit mounts the CUDA toolkit of NVIDIA's devel image over the builder stage: compilers, Python and glibc stay those of the base. A base with its own needs none.
func toolkit(how recipe.PackageBuild, in Inputs, p ocispecs.Platform) []bkllb.RunOption {
	if !withCUDA(how, in) || in.OwnCUDA {
		return nil
	}
	_, dir, _ := compat.CUDABuild(in.CUDA)
	return []bkllb.RunOption{bkllb.AddMount(CUDAHome, ops.BaseToRead(in.Devel, p), bkllb.SourcePath(dir), bkllb.Readonly, ops.ByKey)}
}
