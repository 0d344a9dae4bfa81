package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// trainer is what a training image has for a package that the project asks for.
type trainer struct {
	names  []string      // any of these packages
	system []string      // Debian packages in the image
	build  []string      // Debian packages that building it from source takes
	env    []recipe.Pair // over them what the project says wins
}

// mpi is OpenMPI with the client by which it reaches other nodes; without one mpirun does not even start on one node.
var mpi = []string{"openmpi-bin", "openssh-client"}

// trainers is the table of the train profile.
var trainers = []trainer{
	// One thread a process unless the project says more: torchrun would set it, with a warning. A collective that hangs ends the
	// process, so that the job can start again from its last checkpoint.
	{names: []string{"torch"}, env: []recipe.Pair{{Name: "OMP_NUM_THREADS", Value: "1"}, {Name: "TORCH_NCCL_ASYNC_ERROR_HANDLING", Value: "1"}}},
	{
		names: []string{"horovod"}, system: mpi, build: []string{"cmake", "g++", "libopenmpi-dev"},
		env: []recipe.Pair{{Name: "HOROVOD_GPU_OPERATIONS", Value: "NCCL"}, {Name: "HOROVOD_WITH_MPI", Value: "1"}},
	},
	{names: []string{"deepspeed"}, system: append([]string{"pdsh"}, mpi...)},
	{names: []string{"mpi4py", "mpi4jax"}, system: mpi, build: []string{"gcc", "libopenmpi-dev"}},
}

// trainEnv is what every training image has: NCCL says what goes wrong.
var trainEnv = []recipe.Pair{{Name: "NCCL_DEBUG", Value: "WARN"}}

// horovodWith says which frameworks Horovod is built with: those that the project asks for.
var horovodWith = []struct{ name, variable string }{
	{"mxnet", "HOROVOD_WITH_MXNET"}, {"tensorflow", "HOROVOD_WITH_TENSORFLOW"}, {"torch", "HOROVOD_WITH_PYTORCH"},
}

// trains reports whether a profile is train or extends it.
func (p *Project) trains(profile string) bool {
	return slices.Contains(p.chain(profile), "train") && p.builtIn("train") != nil
}

// trainersFor returns the rows of the table that the project's packages call for.
func trainersFor(direct []requirement) []trainer {
	rows := []trainer{{env: trainEnv}}
	for _, t := range trainers {
		if asksIn(direct, t.names...) {
			rows = append(rows, t)
		}
	}
	if asksIn(direct, "horovod") {
		for _, with := range horovodWith {
			if asksIn(direct, with.name) {
				rows = append(rows, trainer{env: []recipe.Pair{{Name: with.variable, Value: "1"}}})
			}
		}
	}
	return rows
}

// trainScript is the file that a training image runs on every GPU of its machine where the project names no command: "" if there is none, or
// no torchrun.
func trainScript(t tree, a recipe.App, direct []requirement) string {
	if !asksIn(direct, "torch") {
		return ""
	}
	for _, name := range []string{"train.py", "main.py"} {
		if isCopied(t, a, name) {
			return name
		}
	}
	return ""
}
