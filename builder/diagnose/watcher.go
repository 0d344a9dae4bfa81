package diagnose

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/step"
)

// MaxLog bounds what is kept of one step's output, in bytes: the end of it is what explains a failure.
const MaxLog = 64 << 10

// Watcher follows a build's progress: it hands everything on, keeps the end of each step's output, and counts steps.
type Watcher struct {
	tap     func(*bkclient.SolveStatus)  // hears what comes in; nil = nobody
	handing sync.Mutex                   // guards next
	next    chan<- *bkclient.SolveStatus // nil = nowhere
	mu      sync.Mutex                   // guards what follows
	logs    map[digest.Digest][]byte
	last    map[digest.Digest]*bkclient.Vertex
	are     ops.Steps // what the vertices are for, of all graphs that are known
	news    time.Time // when something was last heard of a step
}

// NewWatcher returns a watcher that hands on to next; nil = nowhere.
func NewWatcher(next chan<- *bkclient.SolveStatus) *Watcher {
	return &Watcher{next: next, logs: map[digest.Digest][]byte{}, last: map[digest.Digest]*bkclient.Vertex{}, are: ops.Steps{}}
}

// Learn notes what the steps of a graph are for, so that one that fails is known by its vertex.
func (w *Watcher) Learn(steps ops.Steps) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for vertex, step := range steps {
		w.are[vertex], w.are[again(vertex)] = step, step
	}
}

// again is how a daemon calls a vertex whose cache is passed over, while it still holds the vertex itself (BuildKit solver/jobs.go, loadUnlocked).
func again(vertex digest.Digest) digest.Digest {
	return digest.FromString(vertex.String() + "-ignorecache")
}

// Channel returns the channel for one client.Build. Whatever comes in is taken to the end, because a full channel stops the build; done is
// closed when the build has closed it.
func (w *Watcher) Channel() (in chan *bkclient.SolveStatus, done <-chan struct{}) {
	in, finished := make(chan *bkclient.SolveStatus), make(chan struct{})
	go func() {
		defer close(finished)
		for s := range in {
			w.Keep(s)
			w.HandOn(withoutAnswers(s))
			if w.tap != nil {
				w.tap(s)
			}
		}
	}()
	return in, finished
}

// withoutAnswers is a status without the lines in which checks report to this side.
func withoutAnswers(s *bkclient.SolveStatus) *bkclient.SolveStatus {
	if !slices.ContainsFunc(s.Logs, func(l *bkclient.VertexLog) bool { return bytes.Contains(l.Data, []byte(check.Answer)) }) {
		return s
	}
	next := *s
	next.Logs = nil
	for _, l := range s.Logs {
		kept := *l
		kept.Data = nil
		for line := range bytes.Lines(l.Data) {
			if !bytes.HasPrefix(line, []byte(check.Answer)) {
				kept.Data = append(kept.Data, line...)
			}
		}
		if len(kept.Data) > 0 {
			next.Logs = append(next.Logs, &kept)
		}
	}
	return &next
}

// Tap has somebody hear everything that comes in, after it was handed on. It is for before the first Channel.
func (w *Watcher) Tap(hear func(*bkclient.SolveStatus)) { w.tap = hear }

// HandOn hands a status on to whoever draws the progress, if it still does.
func (w *Watcher) HandOn(s *bkclient.SolveStatus) {
	w.handing.Lock()
	defer w.handing.Unlock()
	if w.next != nil {
		w.next <- s
	}
}

// Close tells whoever draws the progress that nothing more comes. What the daemon says afterwards is kept, and handed to nobody.
func (w *Watcher) Close() {
	w.handing.Lock()
	defer w.handing.Unlock()
	if w.next != nil {
		close(w.next)
		w.next = nil
	}
}

// Settle waits until every step that is known to have begun has ended, no longer than limit: the daemon says how its steps are doing beside its answer, which may come first.
func (w *Watcher) Settle(limit time.Duration) {
	w.await(limit, func() bool {
		for _, v := range w.last {
			if v.Started != nil && v.Completed == nil {
				return false
			}
		}
		return true
	})
}

// Hear waits until the step that an error is of is known to have ended, no longer than limit: then Failure knows it.
func (w *Watcher) Hear(err error, limit time.Duration) {
	ve, ok := errors.AsType[*errdefs.VertexError](err)
	if !ok {
		return
	}
	w.await(limit, func() bool {
		v := w.last[digest.Digest(ve.Digest)]
		return v != nil && (v.Completed != nil || v.Error != "")
	})
}

// await waits until something has been heard.
func (w *Watcher) await(limit time.Duration, heard func() bool) {
	locked := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return heard()
	}
	for end := time.Now().Add(limit); !locked() && time.Now().Before(end); {
		time.Sleep(limit / 100)
	}
}

// Keep notes what a status says.
func (w *Watcher) Keep(s *bkclient.SolveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(s.Vertexes)+len(s.Statuses)+len(s.Logs) > 0 {
		w.news = time.Now()
	}
	for _, v := range s.Vertexes {
		w.last[v.Digest] = v
	}
	for _, l := range s.Logs {
		kept := append(w.logs[l.Vertex], l.Data...)
		if len(kept) > MaxLog {
			kept = kept[len(kept)-MaxLog:]
		}
		w.logs[l.Vertex] = kept
	}
}

// Counts are numbers of steps.
type Counts struct {
	Cached  int // answered from a cache
	Ran     int
	Sources int // of Ran, those that stand on no other: a daemon looks at a download, a base or a directory each time, and transfers what it does not have
}

// Counts counts all steps.
func (w *Watcher) Counts() (n Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.last {
		switch {
		case v.Cached:
			n.Cached++
		case v.Completed != nil && v.Error == "":
			n.Ran++
			if len(v.Inputs) == 0 {
				n.Sources++
			}
		}
	}
	return n
}

// LayerSteps are the steps that make a layer of the image: the helper's, and apt's.
type LayerSteps struct{ Ran, Cached int }

// LayerSteps counts them.
func (w *Watcher) LayerSteps() (n LayerSteps) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.last {
		switch {
		case v.ProgressGroup == nil || !slices.Contains(ops.LayerGroups, v.ProgressGroup.Id):
		case v.Cached:
			n.Cached++
		case v.Completed != nil && v.Error == "":
			n.Ran++
		}
	}
	return n
}

// Had reports whether the daemon had the result of a vertex, and whether it has said anything of it.
func (w *Watcher) Had(vertex digest.Digest) (had, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range []digest.Digest{vertex, again(vertex)} {
		if v := w.last[d]; v != nil && (v.Cached || v.Completed != nil) {
			had, known = v.Cached, true
		}
	}
	return had, known
}

// Warnings returns what the steps' helper warns of, as the step's name and the text.
func (w *Watcher) Warnings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for d, output := range w.logs {
		for line := range strings.Lines(string(output)) {
			code, text, _ := strings.Cut(line, ": ")
			if (code == step.PrintedCode || code == step.LostCode) && w.last[d] != nil {
				all = append(all, w.last[d].Name+": "+strings.TrimSpace(text))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// failed returns what the failed step printed, "" if the error is not a step's or the step said nothing.
func (w *Watcher) failed(err error) string { return w.Failure(err).Output }

// Failure is a step that failed.
type Failure struct {
	Name   string   // that people read; "" = no step is known to have failed
	step   ops.Step // what it is for; the zero value where nothing is known of that
	Output string   // the end of it
}

// Failure returns the step that an error is of: the one whose vertex it names, else one that is known to have failed.
func (w *Watcher) Failure(err error) Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ve, ok := errors.AsType[*errdefs.VertexError](err); ok {
		d := digest.Digest(ve.Digest)
		if w.last[d] != nil {
			return w.failureOf(d)
		}
		if s, ok := w.are[d]; ok { // nothing is heard of steps in a frontend
			return Failure{Name: s.Title, step: s}
		}
	}
	for d, v := range w.last {
		if v.Error != "" && !strings.Contains(v.Error, "context canceled") {
			return w.failureOf(d)
		}
	}
	return Failure{}
}

func (w *Watcher) failureOf(d digest.Digest) Failure {
	return Failure{w.last[d].Name, w.are[d], strings.TrimSpace(string(w.logs[d]))}
}
