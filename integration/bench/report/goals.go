package report

import (
	"fmt"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

// goal is one aim with what the run says of it.
type goal struct {
	What, Aim, Measured string
	Reached             bool
}

// outcome is empty where the run has no samples for the goal.
type outcome struct {
	text string
	ok   bool
}

type aim struct {
	what, text string
	of         func(r *results.Run) outcome
}

var aims = []aim{
	{"numpy bump, tensorflow", "≥ 25× faster than P2", faster("tensorflow", "numpy-bump", 25)},
	{"numpy bump, torch", "≥ 60× faster than P2", faster("torch", "numpy-bump", 60)},
	{"numpy bump, tensorflow, bytes sent", "≤ 1.05× the wheel's layer", bumpBytes("tensorflow")},
	{"numpy bump, torch, bytes sent", "≤ 1.05× the wheel's layer", bumpBytes("torch")},
	{"app edit, empty builder with the registry's cache, sklearn-api", "≤ 1.0× the time of P2", atMost("sklearn-api", "cached-builder", 1, "p2-cache-min", "p2-cache-max")},
	{"the same, tensorflow", "≤ 1.0× the time of P2", atMost("tensorflow", "cached-builder", 1, "p2-cache-min", "p2-cache-max")},
	{"the same, layers and bytes", "0 layer GETs, < 100 kB both ways", cachedBytes("tensorflow")},
	{"app edit, warm, sklearn-api, both with a registry cache", "≤ 1.0× the time of P2", atMost("sklearn-api", "app-edit", 1, "p2-cache-min")},
	{"app edit, warm, sklearn-api, both without", "≤ 1.0× the time of P2", atMostOf("sklearn-api", "app-edit", "mlbuild-nocache", 1, "p2")},
	{"app edit, warm, sklearn-api, mlbuild with its cache, P2 without", "≤ 1.0× the time of P2", atMost("sklearn-api", "app-edit", 1, "p2")},
	{"cold, tensorflow", "≤ 0.55× the time of P2", atMost("tensorflow", "cold", 0.55, "p2")},
	{"cold, torch", "≤ 0.55× the time of P2", atMost("torch", "cold", 0.55, "p2")},
	{"base bump, tensorflow", "≥ 20× faster than P2", faster("tensorflow", "base-bump", 20)},
	{"base bump, torch", "≥ 20× faster than P2", faster("torch", "base-bump", 20)},
	{"base bump, tensorflow, layers sent", "the base's new layer alone", baseLayers("tensorflow")},
	{"base bump, torch, layers sent", "the base's new layer alone", baseLayers("torch")},
	{"second project, sklearn-api, bytes sent", "0 for shared wheels", secondBytes("sklearn-api")},
	{"no-op push, tensorflow, mlbuild with its cache", "≤ 60 ms", under("tensorflow", "noop", "mlbuild", 0.060)},
	{"no-op push, tensorflow, without", "≤ 60 ms", under("tensorflow", "noop", "mlbuild-nocache", 0.060)},
	{"no-op push, tensorflow, both without a registry cache", "≤ 1.0× the time of P2", atMostOf("tensorflow", "noop", "mlbuild-nocache", 1, "p2")},
	{"cpu and gpu together, sklearn-api", "≤ 1.15× the slower one alone", together},
	{"client's peak memory, any image", "≤ 40 MB", memory},
	{"`mlbuild --help`", "≤ 30 ms", under("client", "help", "mlbuild", 0.030)},
	{"plan of 500 wheels", "≤ 50 ms", under("wheels-500", "plan", "mlbuild", 0.050)},
	{"image size, tensorflow", "≤ P2", imageSize("tensorflow")},
	{"image size, torch", "≤ 0.7× P1 on an nvidia/cuda runtime base", cudaSize("torch")},
}

// goals says of each aim that the run can speak about whether it was reached.
func goals(r *results.Run) []goal {
	var all []goal
	for _, a := range aims {
		if o := a.of(r); o.text != "" {
			all = append(all, goal{a.what, a.text, o.text, o.ok})
		}
	}
	return all
}

func faster(workload, scenario string, factor float64) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		p2, own := r.Median(workload, scenario, "p2"), r.Median(workload, scenario, "mlbuild")
		if p2 == 0 || own == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%s (%s s, P2 %s s)", times(p2, own), seconds(own), seconds(p2)), p2/own >= factor}
	}
}

func atMost(workload, scenario string, factor float64, others ...string) func(*results.Run) outcome {
	return atMostOf(workload, scenario, "mlbuild", factor, others...)
}

// atMostOf compares with the best of the others.
func atMostOf(workload, scenario, own string, factor float64, others ...string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		best := 0.0
		for _, o := range others {
			if m := r.Median(workload, scenario, o); m > 0 && (best == 0 || m < best) {
				best = m
			}
		}
		mine := r.Median(workload, scenario, own)
		if best == 0 || mine == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%.2f× (%s s, P2 %s s)", mine/best, seconds(mine), seconds(best)), mine <= best*factor}
	}
}

func under(workload, scenario, contender string, limit float64) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		m := r.Median(workload, scenario, contender)
		if m == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%.0f ms", m*1000), m <= limit}
	}
}

// bumpBytes holds everything that was sent against the layers alone.
func bumpBytes(workload string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		up := r.Spread(workload, "numpy-bump", "mlbuild", func(s results.Sample) float64 { return float64(s.Up) }).Median
		layer := r.Spread(workload, "numpy-bump", "mlbuild", func(s results.Sample) float64 { return float64(s.LayerUp) }).Median
		if layer == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%.3f× (%s for a layer of %s)", up/layer, size(up), size(layer)), up <= 1.05*layer}
	}
}

func cachedBytes(workload string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		bytes := r.Spread(workload, "cached-builder", "mlbuild", func(s results.Sample) float64 { return float64(s.Up + s.Down) })
		gets := r.Spread(workload, "cached-builder", "mlbuild", func(s results.Sample) float64 { return float64(s.LayerGets) })
		if bytes.N == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%.0f layer GETs, %s", gets.Max, size(bytes.Median)), gets.Max == 0 && bytes.Median < 100e3}
	}
}

func baseLayers(workload string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		puts := r.Spread(workload, "base-bump", "mlbuild", func(s results.Sample) float64 { return float64(s.LayerPuts) })
		if puts.N == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%.0f layers sent", puts.Max), puts.Max <= 1}
	}
}

// cudaSize holds the image against P1's with the libraries of an nvidia/cuda runtime base under it, as NVIDIA's wheels hold them.
func cudaSize(workload string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		bytes := func(s results.Sample) float64 { return float64(s.ImageBytes) }
		own, p1 := r.Spread(workload, "cold", "mlbuild", bytes).Median, r.Spread(workload, "cold", "p1", bytes).Median
		l := r.Load(workload)
		if own == 0 || p1 == 0 || l == nil || l.CUDA == 0 {
			return outcome{}
		}
		base := p1 + float64(l.CUDA)
		return outcome{fmt.Sprintf("%.2f× (%s; P1 %s and CUDA's libraries %s, counted)", own/base, size(own), size(p1), size(float64(l.CUDA))), own <= 0.7*base}
	}
}

// secondBytes holds the sent layers against the wheels that only the second project has. A wheel weighs about the same as
// its layer, the application's layer little: a tenth above them is not for shared wheels.
func secondBytes(workload string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		up, p2 := mean(r.Of(workload, "second-project", "mlbuild")), mean(r.Of(workload, "second-project", "p2"))
		if up == 0 {
			return outcome{}
		}
		fresh := 0.0
		if l := r.Load(workload); l != nil {
			fresh = float64(l.Plus)
		}
		text := fmt.Sprintf("%s of layers for new wheels of %s (P2 %s)", size(up), size(fresh), size(p2))
		return outcome{text, up <= 1.1*fresh}
	}
}

// mean is the mean of the layers' bytes that were sent: each round has another package.
func mean(samples []results.Sample) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += float64(s.LayerUp) / float64(len(samples))
	}
	return sum
}

func together(r *results.Run) outcome {
	w := "sklearn-api"
	slower := max(r.Median(w, "profiles-cpu", "mlbuild"), r.Median(w, "profiles-gpu", "mlbuild"))
	both := r.Median(w, "profiles-cpu-gpu", "mlbuild")
	if both == 0 {
		return outcome{}
	}
	return outcome{fmt.Sprintf("%.2f× (%s s and %s s)", both/slower, seconds(both), seconds(slower)), both <= 1.15*slower}
}

func memory(r *results.Run) outcome {
	most := int64(0)
	for _, s := range r.Samples {
		if s.Contender == "mlbuild" || s.Contender == "mlbuild-nocache" {
			most = max(most, s.ClientRSS)
		}
	}
	if most == 0 {
		return outcome{}
	}
	return outcome{size(float64(most)), most <= 40_000_000}
}

func imageSize(workload string) func(*results.Run) outcome {
	return func(r *results.Run) outcome {
		bytes := func(s results.Sample) float64 { return float64(s.ImageBytes) }
		own, p2 := r.Spread(workload, "cold", "mlbuild", bytes).Median, r.Spread(workload, "cold", "p2", bytes).Median
		if own == 0 || p2 == 0 {
			return outcome{}
		}
		return outcome{fmt.Sprintf("%s, P2 %s", size(own), size(p2)), own <= p2}
	}
}
