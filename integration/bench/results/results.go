// Package results holds what a benchmark measured: one Sample for each run of a program, and their summaries.
package results

import (
	"cmp"
	"slices"
	"time"
)

// Sample is one measured run of a contender's client.
type Sample struct {
	Workload  string `json:"workload"`
	Scenario  string `json:"scenario"`
	Contender string `json:"contender"`
	// Seconds is wall time from the start of the client to its end.
	Seconds float64 `json:"seconds"`
	// DaemonCPU and ClientCPU are user and system seconds; the daemon's include the steps that it ran.
	DaemonCPU float64 `json:"daemon_cpu_seconds"`
	ClientCPU float64 `json:"client_cpu_seconds"`
	// ClientRSS and DaemonRSS are peaks in bytes; the daemon's leaves out the steps that it ran.
	ClientRSS int64 `json:"client_rss_bytes"`
	DaemonRSS int64 `json:"daemon_rss_bytes"`
	Traffic
	// ImageBytes is the compressed size of the image that was pushed, its base included; 0 = no image.
	ImageBytes int64 `json:"image_bytes,omitempty"`
}

// Run is one run of the benchmark: the machine and every sample in the order in which they were taken.
type Run struct {
	Form     string    `json:"form"` // "short" or "full"
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"` // of the whole run, preparation left out
	Machine  Machine   `json:"machine"`
	Workload []Load    `json:"workloads"`
	Samples  []Sample  `json:"samples"`
}

// Load describes a workload as it was locked.
type Load struct {
	Name   string `json:"name"`
	Wheels int    `json:"wheels"`
	Bytes  int64  `json:"bytes"` // of the wheels
	Numpy  string `json:"numpy,omitempty"`
	// Plus is the bytes of the wheels that the second project has beyond the first.
	Plus int64 `json:"plus_bytes,omitempty"`
}

// Machine is what the run ran on and with.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Memory     int64  `json:"memory_bytes"`
	Kernel     string `json:"kernel"`
	FileSystem string `json:"file_system"`
	BuildKit   string `json:"buildkit"`
	Registry   string `json:"registry"`
	UV         string `json:"uv"`
	Go         string `json:"go"`
	Mlbuild    string `json:"mlbuild"`
}

// Spread is the least, the middle and the greatest of some figures.
type Spread struct {
	N                int
	Min, Median, Max float64
}

// SpreadOf summarizes figures; none give a zero Spread. The median of an even number is the mean of the middle two.
func SpreadOf(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(figures))
	mid := len(s) / 2
	median := s[mid]
	if len(s)%2 == 0 {
		median = (s[mid-1] + s[mid]) / 2
	}
	return Spread{N: len(s), Min: s[0], Median: median, Max: s[len(s)-1]}
}

// Load is the description of a workload, nil if the run has none.
func (r *Run) Load(name string) *Load {
	for i := range r.Workload {
		if r.Workload[i].Name == name {
			return &r.Workload[i]
		}
	}
	return nil
}

// Of are the samples of a scenario; an empty contender is all of them.
func (r *Run) Of(workload, scenario, contender string) []Sample {
	var of []Sample
	for _, s := range r.Samples {
		if s.Workload == workload && s.Scenario == scenario && (contender == "" || s.Contender == contender) {
			of = append(of, s)
		}
	}
	return of
}

// Spread summarizes one figure of a contender's samples.
func (r *Run) Spread(workload, scenario, contender string, figure func(Sample) float64) Spread {
	var figures []float64
	for _, s := range r.Of(workload, scenario, contender) {
		figures = append(figures, figure(s))
	}
	return SpreadOf(figures)
}

// Median is the middle of a contender's wall times in seconds, 0 if there are none.
func (r *Run) Median(workload, scenario, contender string) float64 {
	return r.Spread(workload, scenario, contender, Seconds).Median
}

// Seconds is the sample's wall time.
func Seconds(s Sample) float64 { return s.Seconds }

// Contenders are those with samples of the scenario, in the given order, others after them by name.
func (r *Run) Contenders(workload, scenario string, order []string) []string {
	seen := map[string]bool{}
	for _, s := range r.Of(workload, scenario, "") {
		seen[s.Contender] = true
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	place := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
	return names
}
