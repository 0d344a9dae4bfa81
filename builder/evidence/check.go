package evidence

import (
	"slices"

	"github.com/mlbuild/mlbuild/llb/check"
)

// Name is that of a check.
type Name string

// The checks, in the order in which they are made (docs/checks.md).
const (
	Project  Name = "project"  // the project's own files find each other; nothing is run
	Packages Name = "packages" // what is installed was run
	Service  Name = "service"  // the image's service was tried
)

// State is how a check ended.
type State string

// The states.
const (
	Passed State = "passed"  // in this build
	Reused State = "reused"  // it passed before, on the same layers: the daemon or the registry has its result
	Failed State = "failed"  // in this build
	Off    State = "off"     // --checks leaves it out
	None   State = "none"    // there is nothing for it to check
	NotRun State = "not run" // the build ended before it
)

// Check is how one check of an image ended. What it found to be wrong are faults of the build.
type Check struct {
	Name     Name   `json:"name"`          // packages, service, …
	Platform string `json:"platform"`      // linux/amd64, …
	State    State  `json:"state"`         // how it ended: passed, failed, …
	Why      string `json:"why,omitempty"` // of None and NotRun: the reason
	// Seconds are what it took, Healthy and Stopped what a service took to answer its health check and to end after its signal; 0 = it did not run in this build.
	Seconds float64 `json:"seconds,omitempty"`
	Healthy float64 `json:"healthy,omitempty"` // seconds until the service was ready
	Stopped float64 `json:"stopped,omitempty"` // seconds that the service took to end
	// Imported counts the modules that were imported, Libraries the files whose libraries were looked for.
	Imported  int      `json:"imported,omitempty"`
	Libraries int      `json:"libraries,omitempty"` // files whose shared libraries were found
	GPUs      int      `json:"gpus,omitempty"`      // devices that a framework found and computed on
	GPU       string   `json:"gpu,omitempty"`       // of an image for CUDA: that no GPU was there, and so none was tried
	Notes     []string `json:"notes,omitempty"`     // what a user should know of it
}

// NoGPU is what Check.GPU says where the daemon has none.
const NoGPU = "not checked: the daemon has no GPU"

// With returns the check with what its program said.
func (c Check) With(r check.Report) Check {
	c.Seconds, c.Healthy, c.Stopped = r.Seconds, r.Healthy, r.Stopped
	c.Imported, c.Libraries, c.GPUs, c.Notes = r.Imported, r.Libraries, r.GPUs, r.Notes
	return c
}

// Good reports whether a check says that the image is as it was checked to be.
func (c Check) Good() bool { return c.State == Passed || c.State == Reused }

// platforms are those of some checks, in order.
func platforms(checks []Check) (all []string) {
	for _, c := range checks {
		if !slices.Contains(all, c.Platform) {
			all = append(all, c.Platform)
		}
	}
	return all
}
