package diagnose

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// CheckRun is what became of a check of an image in a build.
type CheckRun struct {
	Report check.Report // that it printed
	Told   bool         // it ran, and printed a report
	Broken bool         // it ended without one
}

// Checks returns what became of the checks among the steps of a graph, by their names. One of which nothing was heard, or that was had from a cache, told nothing.
func (w *Watcher) Checks(steps ops.Steps) map[string]CheckRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]CheckRun{}
	for vertex, step := range steps {
		if step.Kind != ops.StepCheck {
			continue
		}
		run := w.checkRun(vertex)
		if !run.Told && !run.Broken {
			run = w.checkRun(again(vertex))
		}
		all[step.Name] = run
	}
	return all
}

// checkRun is what was heard of a vertex. The caller holds the lock.
func (w *Watcher) checkRun(vertex digest.Digest) (run CheckRun) {
	run.Report, run.Told = check.ReadAnswer(string(w.logs[vertex]))
	if v := w.last[vertex]; v != nil && !run.Told {
		run.Broken = v.Error != "" && !strings.Contains(v.Error, "context canceled")
	}
	return run
}
