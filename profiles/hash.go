package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// requiresInputs is what makes a lock stale: the hash of what it was made from. It changes with everything that can change the chosen packages, and
// with nothing else. MinDriver is only checked, Hashes are in the files, and Rename follows from the rest and the platform: a lock for several platforms
// has one hash. glibc is base.glibc as the project names it.
func requiresInputs(report *yamldoc.Report, r *recipe.Recipe, glibc string) string {
	inputs := struct {
		Requires recipe.Requirements
		Python   string
		Kind     recipe.AcceleratorKind
		CUDA     string
		Glibc    string
		Base     string        `json:",omitempty"` // where its packages are constraints
		Builds   []recipe.File `json:",omitempty"` // what limits builds that are asked for what they need
	}{r.Requires, r.Python.Version, r.Accelerator.Kind, r.Accelerator.CUDA, glibc, "", r.Builder.Constraints}
	if r.Base.Packages {
		inputs.Base = r.Base.Ref
	}
	// What a wheel may bring, and which of two stands above, changes nothing of the choice: of allow, only names of packages count.
	inputs.Requires.Last, inputs.Requires.StrictWheels = nil, false
	inputs.Requires.Allow = slices.DeleteFunc(slices.Clone(inputs.Requires.Allow), func(item string) bool { return strings.Contains(item, "/") })
	if len(inputs.Requires.Allow) == 0 {
		inputs.Requires.Allow = nil
	}
	inputs.Requires.Inputs, inputs.Requires.Lock, inputs.Requires.Rename, inputs.Requires.Hashes = "", "", nil, nil
	// The struct has only texts, lists and maps of texts: its JSON is canonical, maps are written sorted.
	data, err := json.Marshal(inputs)
	if err != nil {
		report.Add(fault.New(fault.Internal, "hash the inputs: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// stageInputs is what makes a stage's lock stale: everything that it asks for, and the inputs of the runtime.
func stageInputs(report *yamldoc.Report, runtime string, q recipe.StageRequirements) string {
	q.Inputs, q.Lock, q.Rename = "", "", nil
	data, err := json.Marshal(struct {
		Runtime string
		Stage   recipe.StageRequirements
	}{runtime, q})
	if err != nil {
		report.Add(fault.New(fault.Internal, "hash the inputs of a stage: %w", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
