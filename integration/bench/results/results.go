// Package results holds what a benchmark measured: one Sample for each run of a program, and their summaries.
package results

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Sample is one measured run of a contender's client.
type Sample struct {
	Part      string `json:"part"`
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

// Run is what was measured on one machine: the samples of each part in the order in which they were taken.
type Run struct {
	Machine  Machine  `json:"machine"`
	Parts    []Part   `json:"parts"`
	Workload []Load   `json:"workloads"`
	Samples  []Sample `json:"samples"`
}

// Part is a piece of the benchmark that runs at once. Parts of one Run may be of several days and versions.
type Part struct {
	Name    string    `json:"name"`
	Form    string    `json:"form"` // "short" or "full"
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // preparation left out
	Mlbuild string    `json:"mlbuild"` // version
}

// Load describes a workload as it was locked.
type Load struct {
	Name   string `json:"name"`
	Wheels int    `json:"wheels"`
	Bytes  int64  `json:"bytes"` // of the wheels
	Numpy  string `json:"numpy,omitempty"`
	// CUDA is the bytes of those wheels whose libraries an nvidia/cuda runtime base has too.
	CUDA int64 `json:"cuda_bytes,omitempty"`
	// Changes says for a scenario what its first lock has otherwise.
	Changes map[string]string `json:"changes,omitempty"`
	// Plus is the bytes of the wheels that a second project has beyond the first, in the mean.
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
	// Netem is what the kernel says to a delay by tc-netem(8) in a network namespace, "" = it can.
	Netem string `json:"netem,omitempty"`
}

// Same reports whether figures of two machines may stand in one report.
func (m Machine) Same(o Machine) bool {
	return m.CPU == o.CPU && m.Cores == o.Cores && m.Kernel == o.Kernel && m.BuildKit == o.BuildKit && m.Registry == o.Registry
}

// Replace puts the part's samples in the place of those that the run has of it. Parts keep the order of their names; samples of parts
// that are not named are dropped.
func (r *Run) Replace(part Part, loads []Load, samples []Sample, order []string) {
	r.Parts = append(slices.DeleteFunc(r.Parts, func(p Part) bool { return p.Name == part.Name }), part)
	r.Samples = slices.DeleteFunc(r.Samples, func(s Sample) bool { return s.Part == part.Name || !slices.Contains(order, s.Part) })
	r.Samples = append(r.Samples, samples...)
	place := func(name string) int { return slices.Index(order, name) }
	slices.SortStableFunc(r.Parts, func(a, b Part) int { return cmp.Compare(place(a.Name), place(b.Name)) })
	slices.SortStableFunc(r.Samples, func(a, b Sample) int { return cmp.Compare(place(a.Part), place(b.Part)) })
	for _, l := range loads {
		r.describe(l)
	}
}

// describe keeps of a workload's descriptions what another part knew.
func (r *Run) describe(l Load) {
	old := r.Load(l.Name)
	if old == nil {
		r.Workload = append(r.Workload, l)
		return
	}
	changes := maps.Clone(old.Changes)
	if changes == nil {
		changes = map[string]string{}
	}
	maps.Copy(changes, l.Changes)
	l.Changes, l.Plus = changes, cmp.Or(l.Plus, old.Plus)
	*old = l
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
