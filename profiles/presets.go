package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Preset is a set of environment variables by name: settings that many images repeat.
type Preset struct {
	Name   string
	GPU    bool          // taken in CUDA profiles only
	Env    []recipe.Pair // sorted by name
	Source string        // where the variables are documented
}

// Presets are the values of app.presets, sorted by name. docs/runtime.md shows the same table; a test holds the two together.
var Presets = []Preset{
	{"cuda-mps", true, []recipe.Pair{{Name: "CUDA_MPS_LOG_DIRECTORY", Value: "/var/log/nvidia-mps"}, {Name: "CUDA_MPS_PIPE_DIRECTORY", Value: "/tmp/nvidia-mps"}},
		"https://docs.nvidia.com/deploy/mps/"},
	{"cuda-one-gpu", true, []recipe.Pair{{Name: "CUDA_DEVICE_ORDER", Value: "PCI_BUS_ID"}, {Name: "CUDA_VISIBLE_DEVICES", Value: "0"}},
		"https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars"},
	{"hf-offline", false, []recipe.Pair{{Name: "HF_HUB_OFFLINE", Value: "1"}},
		"https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables"},
	{"jax-growth", true, []recipe.Pair{{Name: "XLA_PYTHON_CLIENT_PREALLOCATE", Value: "false"}},
		"https://docs.jax.dev/en/latest/gpu_memory_allocation.html"},
	{"jax-half", true, []recipe.Pair{{Name: "XLA_PYTHON_CLIENT_MEM_FRACTION", Value: ".50"}},
		"https://docs.jax.dev/en/latest/gpu_memory_allocation.html"},
	{"no-bytecode", false, []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}},
		"https://docs.python.org/3/using/cmdline.html#envvar-PYTHONDONTWRITEBYTECODE"},
	{"one-thread", false, []recipe.Pair{{Name: "MKL_NUM_THREADS", Value: "1"}, {Name: "OMP_NUM_THREADS", Value: "1"}, {Name: "OPENBLAS_NUM_THREADS", Value: "1"}},
		"https://scikit-learn.org/stable/computing/parallelism.html"},
	{"pytorch-memory", true, []recipe.Pair{{Name: "PYTORCH_CUDA_ALLOC_CONF", Value: "expandable_segments:True"}},
		"https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management"},
	{"tf-growth", true, []recipe.Pair{{Name: "TF_FORCE_GPU_ALLOW_GROWTH", Value: "true"}},
		"https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth"},
	{"tf-quiet", false, []recipe.Pair{{Name: "TF_CPP_MIN_LOG_LEVEL", Value: "2"}},
		"https://github.com/tensorflow/tensorflow/blob/master/third_party/xla/xla/tsl/platform/default/logging.cc"},
}

// presetEnv returns the variables of app.presets. Two of them that set one variable differently are a fault.
func presetEnv(report *yamldoc.Report, names []yamldoc.String, accelerator recipe.AcceleratorKind) []recipe.Pair {
	var env []recipe.Pair
	from := map[string]string{} // variable → preset
	for _, s := range names {
		i := slices.IndexFunc(Presets, func(p Preset) bool { return p.Name == s.Value })
		if i < 0 {
			f := fault.New(fault.Spec, "the preset %q does not exist", s.Value).In(s.At)
			yamldoc.DidYouMean(f, s.Value, presetNames())
			report.Add(f)
			continue
		}
		if Presets[i].GPU && accelerator != recipe.CUDA {
			continue
		}
		for _, p := range Presets[i].Env {
			if other := from[p.Name]; other != "" && other != s.Value && !slices.Contains(env, p) {
				report.Specf(s.At, "the presets %s and %s set %s to different values", other, s.Value, p.Name)
			}
			from[p.Name] = s.Value
			env = append(env, p)
		}
	}
	return env
}

func presetNames() []string {
	names := make([]string, len(Presets))
	for i, p := range Presets {
		names[i] = p.Name
	}
	return names
}
