package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// hash fills Requires.Inputs: what a lock was made from. It changes with everything that can change the chosen
// packages, and with nothing else. MinDriver is only checked, Hashes are in the files, and Rename follows from the rest and the platform: a
// lock for several platforms has one hash.
func (r *resolver) hash() {
	inputs := struct {
		Requires recipe.Requirements
		Python   string
		Kind     recipe.AcceleratorKind
		CUDA     string
		Glibc    string
		Base     string `json:",omitempty"` // where its packages are constraints
	}{r.recipe.Requires, r.recipe.Python.Version, r.recipe.Accelerator.Kind, r.recipe.Accelerator.CUDA, r.spec.base.glibc.Value, ""}
	if r.recipe.Base.Packages {
		inputs.Base = r.recipe.Base.Ref
	}
	inputs.Requires.Inputs, inputs.Requires.Lock, inputs.Requires.Rename, inputs.Requires.Hashes = "", "", nil, nil
	// The struct has only texts, lists and maps of texts: its JSON is canonical, maps are written sorted.
	data, err := json.Marshal(inputs)
	if err != nil {
		r.Add(fault.New(fault.Internal, "hash the inputs: %w", err))
		return
	}
	sum := sha256.Sum256(data)
	r.recipe.Requires.Inputs = hex.EncodeToString(sum[:])
}
