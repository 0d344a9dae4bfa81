package requirements

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestRenamesOfAll: what the project limits or overrides has the name of the package that comes, and nothing is put in the place of a version that it never had.
func TestRenamesOfAll(t *testing.T) {
	cpu, gpu := recipe.Accelerator{Kind: recipe.NoAccelerator}, recipe.Accelerator{Kind: recipe.CUDA}
	asks := func(texts ...string) []Requirement {
		var all []Requirement
		for _, text := range texts {
			all = append(all, Requirement{Requirement: pypi.ParseItem(text).Required})
		}
		return all
	}
	limits := recipe.Requirements{Constraints: []recipe.File{{Path: "limits.txt", Data: "onnxruntime<1.23\ntensorflow==2.19.0\n"}}}
	for _, c := range []struct {
		name        string
		wanted      Wanted
		accelerator recipe.Accelerator
		want        map[string]string
	}{
		{"limits", Wanted{Requires: limits}, cpu, map[string]string{"tensorflow": "tensorflow-cpu"}},
		{"limits of nothing that CUDA changes", Wanted{Requires: limits}, gpu, nil},
		{"limits of what is asked for", Wanted{Requires: limits, Direct: asks("onnxruntime-gpu[cuda]")}, gpu, map[string]string{"onnxruntime": "onnxruntime-gpu[cuda,cudnn]"}},
		{"an override", Wanted{replaced: asks("tensorflow==2.16.1", "xgboost<2")}, cpu, map[string]string{"tensorflow": "tensorflow-cpu"}},
		{"an override by URL", Wanted{replaced: asks("tensorflow @ https://files.example/tf.whl")}, cpu, nil},
		{"before the first of its name", Wanted{Direct: asks("xgboost~=1.7")}, cpu, nil},
		{"the first of its name", Wanted{Direct: asks("xgboost==2.1.1")}, cpu, map[string]string{"xgboost": "xgboost-cpu"}},
		{"extras go along", Wanted{Direct: asks("xgboost[dask]>=1,!=3.0")}, cpu, map[string]string{"xgboost": "xgboost-cpu[dask]"}},
		{"extras of CUDA do not", Wanted{Direct: asks("onnxruntime-gpu[cuda,cudnn]")}, cpu, map[string]string{"onnxruntime-gpu": "onnxruntime"}},
		{"back", Wanted{Direct: asks("xgboost-cpu")}, gpu, map[string]string{"xgboost-cpu": "xgboost"}},
	} {
		if d := cmp.Diff(c.want, c.wanted.renames(NamesQuestion{Accelerator: c.accelerator, Platform: "linux/amd64"})); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
