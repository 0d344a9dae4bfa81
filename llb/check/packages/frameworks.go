package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
)

// distributionsOf are the distributions that bring a framework.
var distributionsOf = map[string][]string{
	"torch":       {"torch"},
	"tensorflow":  {"tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-rocm", "tensorflow-intel"},
	"onnxruntime": {"onnxruntime", "onnxruntime-gpu", "onnxruntime-rocm", "onnxruntime-openvino"},
	"jax":         {"jax"},
}

// build is what a framework says of itself.
type build struct {
	There  string `json:"there"` // cpu, cuda, rocm, xpu
	Number string `json:"number"`
	GPUs   int    `json:"gpus"`
}

// accelerators are their names for people.
var accelerators = map[string]string{"cpu": "the CPU", "cuda": "CUDA", "rocm": "ROCm", "xpu": "XPU"}

func (b build) String() string {
	return strings.TrimSpace(accelerators[b.There] + " " + b.Number)
}

// promised are the frameworks that are installed, and may be imported.
func promised(q check.Packages, all []distribution) []check.Framework {
	first := byName(all)
	return slices.DeleteFunc(slices.Clone(q.Frameworks), func(f check.Framework) bool {
		return skipped(f.Name, q.Skip) != "" || !slices.ContainsFunc(distributionsOf[f.Name], func(name string) bool { _, ok := first[name]; return ok })
	})
}

// frameworks compares what each framework says of its build with what is promised, and has it compute where it sees devices. gpus are those that it computed on.
func frameworks(ctx context.Context, p python, list []check.Framework, results []result) (faults []check.Fault, notes []string, gpus int) {
	for n, f := range list {
		var b build
		switch r := results[n]; {
		case !r.reached:
			notes = append(notes, fmt.Sprintf("the time was over before %s could be asked which build it is", f.Name))
			continue
		case !r.well() || json.Unmarshal(r.value, &b) != nil:
			notes = append(notes, fmt.Sprintf("%s does not say which build it is: %s", f.Name, lastLine(wordsOf(r))))
			continue
		}
		if !keeps(f, b) {
			want := build{There: f.Want, Number: f.CUDA}
			faults = append(faults, check.Fault{Kind: check.Promise, Package: f.Name, There: b.String(), Want: want.String()})
		}
		if b.GPUs > 0 {
			n, fault := compute(ctx, p, f, b)
			gpus = max(gpus, n)
			faults = append(faults, fault...)
		}
	}
	return faults, notes, gpus
}

// keeps reports whether a build keeps a promise. TensorFlow, ONNX Runtime and JAX of CUDA do without a device, and their builds of the index are such: they break none for the CPU.
func keeps(f check.Framework, b build) bool {
	if f.Want == "cpu" && f.Name != "torch" {
		return true
	}
	return b.There == f.Want && (f.CUDA == "" || b.There != "cuda" || b.Number == f.CUDA || strings.HasPrefix(b.Number, f.CUDA+"."))
}

// compute has torch multiply matrices on every device that it sees.
func compute(ctx context.Context, p python, f check.Framework, b build) (int, []check.Fault) {
	if f.Name != "torch" {
		return 0, nil
	}
	results, err := p.perform(ctx, []task{{Framework: "torch compute"}})
	if err == nil && results[0].well() {
		var done build
		_ = json.Unmarshal(results[0].value, &done) // none, at worst
		return done.GPUs, nil
	}
	text := "it could not be tried"
	if err == nil {
		text = lastLine(wordsOf(results[0]))
	}
	return 0, []check.Fault{{
		Kind: check.Promise, Package: f.Name, There: fmt.Sprintf("%d devices, which do not compute", b.GPUs), Want: "a device that computes", Text: text, Output: results[0].output,
	}}
}

// lastLine returns the last line of a text that says something.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
