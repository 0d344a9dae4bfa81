package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Preset is a set of environment variables by name: settings that many images repeat.
type Preset struct {
	Name   string
	GPU    bool   // taken in CUDA profiles only
	Env    []Pair // sorted by name
	Source string // where the variables are documented
}

// Presets are the values of app.presets, sorted by name. docs/runtime.md shows the same table; a test holds the two together.
var Presets = []Preset{
	{"cuda-mps", true, []Pair{{"CUDA_MPS_LOG_DIRECTORY", "/var/log/nvidia-mps"}, {"CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"}},
		"https://docs.nvidia.com/deploy/mps/"},
	{"cuda-one-gpu", true, []Pair{{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}, {"CUDA_VISIBLE_DEVICES", "0"}},
		"https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars"},
	{"hf-offline", false, []Pair{{"HF_HUB_OFFLINE", "1"}},
		"https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables"},
	{"jax-growth", true, []Pair{{"XLA_PYTHON_CLIENT_PREALLOCATE", "false"}},
		"https://docs.jax.dev/en/latest/gpu_memory_allocation.html"},
	{"jax-half", true, []Pair{{"XLA_PYTHON_CLIENT_MEM_FRACTION", ".50"}},
		"https://docs.jax.dev/en/latest/gpu_memory_allocation.html"},
	{"no-bytecode", false, []Pair{{"PYTHONDONTWRITEBYTECODE", "1"}},
		"https://docs.python.org/3/using/cmdline.html#envvar-PYTHONDONTWRITEBYTECODE"},
	{"one-thread", false, []Pair{{"MKL_NUM_THREADS", "1"}, {"OMP_NUM_THREADS", "1"}, {"OPENBLAS_NUM_THREADS", "1"}},
		"https://scikit-learn.org/stable/computing/parallelism.html"},
	{"pytorch-memory", true, []Pair{{"PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"}},
		"https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management"},
	{"tf-growth", true, []Pair{{"TF_FORCE_GPU_ALLOW_GROWTH", "true"}},
		"https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth"},
	{"tf-quiet", false, []Pair{{"TF_CPP_MIN_LOG_LEVEL", "2"}},
		"https://github.com/tensorflow/tensorflow/blob/master/third_party/xla/xla/tsl/platform/default/logging.cc"},
}

// presets gives the variables of app.presets. Two of them that set one variable differently are a fault.
func (r *resolver) presets() []Pair {
	var env []Pair
	from := map[string]string{} // variable → preset
	for _, s := range r.spec.app.presets {
		i := slices.IndexFunc(Presets, func(p Preset) bool { return p.Name == s.value })
		if i < 0 {
			f := fault.New(fault.Spec, "the preset %q does not exist", s.value).In(s.at)
			didYouMean(f, s.value, presetNames())
			r.add(f)
			continue
		}
		if Presets[i].GPU && r.recipe.Accelerator.Kind != "cuda" {
			continue
		}
		for _, p := range Presets[i].Env {
			if other := from[p.Name]; other != "" && other != s.value && !slices.Contains(env, p) {
				r.specf(s.at, "the presets %s and %s set %s to different values", other, s.value, p.Name)
			}
			from[p.Name] = s.value
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
