package builder

import (
	"errors"
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
}

func newWatcher(next chan<- *bkclient.SolveStatus) *watcher {
	return &watcher{next: next, logs: map[digest.Digest][]byte{}, last: map[digest.Digest]*bkclient.Vertex{}}
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

// failed gives what the failed step printed, "" if the error is not a step's or the step said nothing.
func (w *watcher) failed(err error) string {
	name, output := w.failure(err)
	if name == "" {
		return ""
	}
	return output
}

// failure gives the name of the failed step and its output.
func (w *watcher) failure(err error) (name, output string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ve *errdefs.VertexError
	if errors.As(err, &ve) {
		d := digest.Digest(ve.Digest)
		if v := w.last[d]; v != nil {
			return v.Name, strings.TrimSpace(string(w.logs[d]))
		}
	}
	for d, v := range w.last {
		if v.Error != "" && !strings.Contains(v.Error, "context canceled") {
			return v.Name, strings.TrimSpace(string(w.logs[d]))
		}
	}
	return "", ""
}
