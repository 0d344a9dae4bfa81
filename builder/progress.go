package builder

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/step"
)

// maxLog bounds what is kept of one step's output, in bytes: the end of it is what explains a failure.
const maxLog = 64 << 10

// watcher follows a build's progress: it hands everything on, keeps the end of each step's output, and counts steps.
type watcher struct {
	next chan<- *bkclient.SolveStatus // nil = nowhere
	mu   sync.Mutex
	logs map[digest.Digest][]byte
	last map[digest.Digest]*bkclient.Vertex
	are  ops.Steps // what the vertices are for, of all graphs that are known
}

func newWatcher(next chan<- *bkclient.SolveStatus) *watcher {
	return &watcher{next: next, logs: map[digest.Digest][]byte{}, last: map[digest.Digest]*bkclient.Vertex{}, are: ops.Steps{}}
}

// learn notes what the steps of a graph are for, so that one that fails is known by its vertex.
func (w *watcher) learn(steps ops.Steps) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.are, steps)
}

// channel gives the channel for one client.Build. Whatever comes in is taken to the end, because a full channel stops the build; done is
// closed when the build has closed it.
func (w *watcher) channel() (in chan *bkclient.SolveStatus, done <-chan struct{}) {
	in, finished := make(chan *bkclient.SolveStatus), make(chan struct{})
	go func() {
		defer close(finished)
		for s := range in {
			w.keep(s)
			if w.next != nil {
				w.next <- s
			}
		}
	}()
	return in, finished
}

// close tells whoever draws the progress that nothing more comes.
func (w *watcher) close() {
	if w.next != nil {
		close(w.next)
	}
}

func (w *watcher) keep(s *bkclient.SolveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range s.Vertexes {
		w.last[v.Digest] = v
	}
	for _, l := range s.Logs {
		kept := append(w.logs[l.Vertex], l.Data...)
		if len(kept) > maxLog {
			kept = kept[len(kept)-maxLog:]
		}
		w.logs[l.Vertex] = kept
	}
}

// counts gives the number of steps that were answered from a cache and that ran.
func (w *watcher) counts() (cached, ran int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.last {
		switch {
		case v.Cached:
			cached++
		case v.Completed != nil && v.Error == "":
			ran++
		}
	}
	return cached, ran
}

// layerSteps are the steps that make a layer of the image: the helper's, and apt's.
type layerSteps struct{ ran, cached int }

// layerSteps counts them.
func (w *watcher) layerSteps() (n layerSteps) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.last {
		switch {
		case v.ProgressGroup == nil || !slices.Contains(ops.LayerGroups, v.ProgressGroup.Id):
		case v.Cached:
			n.cached++
		case v.Completed != nil && v.Error == "":
			n.ran++
		}
	}
	return n
}

// warnings gives what the steps' helper warns of, as the step's name and the text.
func (w *watcher) warnings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for d, output := range w.logs {
		for line := range strings.Lines(string(output)) {
			if text, ok := strings.CutPrefix(line, step.PrintedCode+": "); ok && w.last[d] != nil {
				all = append(all, w.last[d].Name+": "+strings.TrimSpace(text))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// failed returns what the failed step printed, "" if the error is not a step's or the step said nothing.
func (w *watcher) failed(err error) string { return w.failure(err).output }

// failure is a step that failed.
type failure struct {
	name   string   // that people read; "" = no step is known to have failed
	step   ops.Step // what it is for; the zero value where nothing is known of that
	output string   // the end of it
}

// failure returns the step that an error is of: the one whose vertex it names, else one that is known to have failed.
func (w *watcher) failure(err error) failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ve, ok := errors.AsType[*errdefs.VertexError](err); ok {
		if d := digest.Digest(ve.Digest); w.last[d] != nil {
			return w.failureOf(d)
		}
	}
	for d, v := range w.last {
		if v.Error != "" && !strings.Contains(v.Error, "context canceled") {
			return w.failureOf(d)
		}
	}
	return failure{}
}

func (w *watcher) failureOf(d digest.Digest) failure {
	return failure{w.last[d].Name, w.are[d], strings.TrimSpace(string(w.logs[d]))}
}
