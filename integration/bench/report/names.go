// Package report turns a benchmark's run into docs/performance.md and its plots. What it writes depends on the run alone.
package report

import "github.com/mlbuild/mlbuild/integration/bench/results"

// Parts are the names of the benchmark's parts in the order of the document.
var Parts = []string{"client", "sklearn", "tensorflow", "torch", "profiles", "scale", "contexts", "parallel", "latency"}

// order is how contenders stand in tables and plots.
var order = []string{"p1", "p2", "p3", "p4", "p2-cache-min", "p2-cache-max", "mlbuild", "mlbuild-nocache", "mlbuild-bytecode"}

var contenderTitles = map[string]string{
	"p1":              "P1 pip, gzip",
	"p2":              "P2 uv, zstd",
	"p3":              "P3 P2 split by hand",
	"p4":              "P4 pex, zstd",
	"p2-cache-min":    "P2 with registry cache (min)",
	"p2-cache-max":    "P2 with registry cache (max)",
	"mlbuild":         "mlbuild",
	"mlbuild-nocache": "mlbuild --no-own-cache",

	"mlbuild-bytecode": "mlbuild with bytecode (trial)",
}

func contenderTitle(id string) string {
	if t := contenderTitles[id]; t != "" {
		return t
	}
	return id
}

// scenario is a row of the document's own order.
type scenario struct {
	id, title, note string
	plot            bool
}

var scenarios = []scenario{
	{"cold", "Cold", "Empty daemon, empty repository: build everything and push it.", true},
	{"noop", "No-op", "Nothing changed; build and push.", true},
	{"app-edit", "App edit", "One line of one application file changed.", true},
	{"small-bump", "Bump of a small wheel", "The lock has another version of one small pure wheel; everything else is the same.", true},
	{"numpy-bump", "numpy bump", "The lock has another numpy; everything else is the same.", true},
	{"torch-bump", "torch bump", "The lock has another torch, and other versions of whatever depends on that.", true},
	{"add-package", "One package more", "The project requires one more package.", true},
	{"remove-package", "One package less", "The project requires one package fewer.", true},
	{"node-pull", "Node pulls the bumped image", "A daemon that ran the image before the bump pulls, unpacks and starts the one after it.", true},
	{"base-bump", "Base bump", "The tag of the base image points at an image with one layer more.", true},
	{"second-project", "Second project", "Another project on the same daemon: another application, one more requirement, another repository.", true},
	{"cached-builder", "Empty builder with the registry's cache, app edit", "An empty daemon that imports the cache, and exports it again.", true},
	{"import", "Start-up", "Seconds that Python needs to import the packages in a fresh container as uid 1000; the layers of P1 and P4 contain bytecode, the others' do not.", true},
	{"bytecode", "The bytecode layer", "What the layer costs: a step compiles all packages of mlbuild's unpacked image, and the layer is pushed. P1 and P4 compile while they install.", false},
	{"profiles-cpu", "Profile cpu alone, cold", "", false},
	{"profiles-gpu", "Profile gpu alone, cold", "", false},
	{"profiles-cpu-gpu", "Profiles cpu and gpu together, cold", "", false},
	{"parallel-1", "1 build", "Application edits, each client with its own project and new repository, on one daemon; until the last one is done.", false},
	{"parallel-4", "4 builds at once", "", false},
	{"parallel-16", "16 builds at once", "", false},
	{"noop-20ms", "No-op, registry 20 ms away", "", false},
	{"app-edit-20ms", "App edit, registry 20 ms away", "", false},
	{"noop-50ms", "No-op, registry 50 ms away", "", false},
	{"app-edit-50ms", "App edit, registry 50 ms away", "", false},
	{"plan", "Plan alone", "`mlbuild plan` on a warm daemon.", false},
	{"help", "Start-up of the program", "`mlbuild --help`.", false},
}

// workloads lists those with samples, in the order in which they ran.
func workloads(r *results.Run) []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range r.Samples {
		if !seen[s.Workload] {
			seen[s.Workload] = true
			names = append(names, s.Workload)
		}
	}
	return names
}
