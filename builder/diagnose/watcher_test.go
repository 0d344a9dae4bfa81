package diagnose

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// The watcher takes everything, whoever reads behind it, and hands it on in order.
func TestWatcherDrains(t *testing.T) {
	w := NewWatcher(nil)
	in, done := w.Channel()
	for range 1000 {
		in <- &bkclient.SolveStatus{}
	}
	close(in)
	<-done
	w.Close()

	next := make(chan *bkclient.SolveStatus)
	w = NewWatcher(next)
	var names []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for s := range next {
			names = append(names, s.Vertexes[0].Name)
		}
	})
	for _, part := range []string{"a b", "c"} { // two builds of one variant
		in, done := w.Channel()
		for name := range strings.FieldsSeq(part) {
			in <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: digest.FromString(name), Name: name}}}
		}
		close(in)
		<-done
	}
	w.Close()
	wg.Wait()
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestWatcherCounts(t *testing.T) {
	w, now := NewWatcher(nil), time.Unix(1, 0)
	step := func(name string, v bkclient.Vertex) *bkclient.SolveStatus {
		v.Digest, v.Name = digest.FromString(name), name
		return &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{&v}}
	}
	w.Keep(step("ran", bkclient.Vertex{Started: &now}))
	w.Keep(step("ran", bkclient.Vertex{Started: &now, Completed: &now, Inputs: []digest.Digest{"sha256:a"}}))
	w.Keep(step("source", bkclient.Vertex{Started: &now, Completed: &now}))
	w.Keep(step("cached", bkclient.Vertex{Started: &now, Completed: &now, Cached: true}))
	w.Keep(step("failed", bkclient.Vertex{Started: &now, Completed: &now, Error: "no"}))
	w.Keep(step("waits", bkclient.Vertex{}))
	if n, want := w.Counts(), (Counts{Cached: 1, Ran: 2, Sources: 1}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
}

// The end of a long output is what is kept.
func TestWatcherKeepsTheEnd(t *testing.T) {
	w, step := NewWatcher(nil), digest.FromString("step")
	w.Keep(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: step, Name: "apt", Error: "exit code: 1"}, {Digest: digest.FromString("x"), Name: "x", Error: "context canceled"}}})
	for range 100 {
		w.Keep(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: step, Data: []byte(strings.Repeat("noise ", 1000))}}})
	}
	w.Keep(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: step, Data: []byte("\nthe reason\n")}}})
	for _, err := range []error{errdefs.WrapVertex(errors.New("failed"), step), errors.New("failed")} {
		failed := w.Failure(err)
		name, output := failed.Name, failed.Output
		if name != "apt" || !strings.HasSuffix(output, "the reason") || len(output) > MaxLog || len(output) < MaxLog/2 {
			t.Errorf("%v: step %q, %d bytes", err, name, len(output))
		}
	}
	if failed := NewWatcher(nil).Failure(errors.New("failed")); failed != (Failure{}) {
		t.Errorf("without steps: %+v", failed)
	}
}

// TestWatcherChecks: a check has run where its report is among what its step printed; one that the daemon had says nothing.
func TestWatcherChecks(t *testing.T) {
	w := NewWatcher(nil)
	ran, had, broke, stopped, own := digest.FromString("ran"), digest.FromString("had"), digest.FromString("broke"), digest.FromString("stopped"), digest.FromString("own")
	report := check.Report{Imported: 3, Seconds: 3.4}
	for _, part := range []string{"idna is slow\nmlbuild-", "check: " + report.JSON() + "\n"} { // a line may come in pieces
		w.Keep(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: ran, Data: []byte(part)}}})
	}
	w.Keep(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{
		{Digest: ran}, {Digest: had, Cached: true}, {Digest: broke, Error: "process did not complete successfully: exit code: 2"}, {Digest: stopped, Error: "context canceled"},
	}})
	steps := ops.Steps{
		ran: {Kind: ops.StepCheck, Name: "packages"}, had: {Kind: ops.StepCheck, Name: "service"}, broke: {Kind: ops.StepCheck, Name: "broke"},
		stopped: {Kind: ops.StepCheck, Name: "stopped"}, own: {Kind: ops.StepOwn, Name: "own"},
	}
	want := map[string]CheckRun{"packages": {Report: report, Told: true}, "service": {}, "broke": {Broken: true}, "stopped": {}}
	if diff := cmp.Diff(want, w.Checks(steps)); diff != "" {
		t.Error(diff)
	}
}

// TestWatcherKnowsSteps: a step whose cache is passed over has another digest while the daemon still holds the step itself.
func TestWatcherKnowsSteps(t *testing.T) {
	w := NewWatcher(nil)
	vertex := digest.FromString("check")
	steps := ops.Steps{vertex: {Kind: ops.StepCheck, Name: "packages"}}
	w.Learn(steps)
	other := digest.FromString(vertex.String() + "-ignorecache")
	report := check.Report{Faults: []check.Fault{{Kind: check.Python}}}
	w.Keep(&bkclient.SolveStatus{
		Vertexes: []*bkclient.Vertex{{Digest: vertex, Cached: true}, {Digest: other, Error: "process did not complete successfully: exit code: 1"}},
		Logs:     []*bkclient.VertexLog{{Vertex: other, Data: []byte(report.Line() + "\n")}},
	})
	if got := w.Checks(steps)["packages"]; !got.Told || len(got.Report.Faults) != 1 {
		t.Errorf("the check is %+v", got)
	}
	if got := w.Failure(errors.New("failed")); got.step.Kind != ops.StepCheck {
		t.Errorf("the step that failed is %+v", got)
	}
}

// TestWatcherKnowsWhatWasHad: of a vertex it is known whether the daemon had its result, once it has ended.
func TestWatcherKnowsWhatWasHad(t *testing.T) {
	w, now := NewWatcher(nil), time.Now()
	w.Keep(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{
		{Digest: "sha256:had", Cached: true, Started: &now, Completed: &now}, {Digest: "sha256:made", Started: &now, Completed: &now}, {Digest: "sha256:runs", Started: &now},
		{Digest: digest.FromString("sha256:again-ignorecache"), Started: &now, Completed: &now},
	}})
	for vertex, want := range map[digest.Digest][2]bool{"sha256:had": {true, true}, "sha256:made": {false, true}, "sha256:runs": {false, false}, "sha256:again": {false, true}, "sha256:none": {false, false}} {
		if had, known := w.Had(vertex); had != want[0] || known != want[1] {
			t.Errorf("%s: had %v, known %v", vertex, had, known)
		}
	}
}

// TestAnswersAreNotShown: what a check reports to this side is none of what people read, and all else is.
func TestAnswersAreNotShown(t *testing.T) {
	next := make(chan *bkclient.SolveStatus, 3)
	w := NewWatcher(next)
	in, done := w.Channel()
	data := "importing\n" + check.Report{Imported: 3}.Line() + "\nafter\n"
	in <- &bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: "sha256:a", Data: []byte(data)}}}
	in <- &bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: "sha256:a", Data: []byte(check.Report{}.Line() + "\n")}}}
	close(in)
	<-done
	if got := string((<-next).Logs[0].Data); got != "importing\nafter\n" {
		t.Errorf("shown: %q", got)
	}
	if s := <-next; len(s.Logs) != 0 {
		t.Errorf("shown: %q", s.Logs[0].Data)
	}
	if !strings.Contains(string(w.logs["sha256:a"]), "imported") {
		t.Error("the report is not kept")
	}
}

// TestWatcherAfterClose: what the daemon says after the progress was ended is kept and handed to nobody; a step that began is waited for until then.
func TestWatcherAfterClose(t *testing.T) {
	next := make(chan *bkclient.SolveStatus, 8)
	w := NewWatcher(next)
	in, done := w.Channel()
	now := time.Now()
	in <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: "sha256:a", Name: "a step", Started: &now}}}
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		w.Settle(time.Minute)
	}()
	in <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: "sha256:a", Name: "a step", Started: &now, Completed: &now}}}
	<-settled
	w.Close()
	in <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: "sha256:b", Name: "another", Started: &now, Completed: &now}}}
	close(in)
	<-done
	w.Close()
	told := 0
	for range next {
		told++
	}
	if n := w.Counts(); told != 2 || n.Ran != 2 {
		t.Errorf("%d statuses were handed on and %d steps counted, want 2 and 2", told, n.Ran)
	}
	w.Settle(0)
}

// TestWatcherHears: a step that failed is waited for, because the daemon may say of it after its answer what it printed.
func TestWatcherHears(t *testing.T) {
	w, now := NewWatcher(nil), time.Now()
	err := (&errdefs.Vertex{Digest: "sha256:a"}).WrapError(errors.New("exit code: 1"))
	time.AfterFunc(20*time.Millisecond, func() {
		w.Keep(&bkclient.SolveStatus{
			Vertexes: []*bkclient.Vertex{{Digest: "sha256:a", Name: "a step", Started: &now, Completed: &now, Error: "exit code: 1"}},
			Logs:     []*bkclient.VertexLog{{Vertex: "sha256:a", Data: []byte("no such luck")}},
		})
	})
	w.Hear(err, time.Minute)
	if f := w.Failure(err); f.Name != "a step" || f.Output != "no such luck" {
		t.Errorf("got %+v", f)
	}
	w.Hear(errors.New("no step's"), time.Minute)
	w.Hear((&errdefs.Vertex{Digest: "sha256:b"}).WrapError(err), time.Millisecond)
}
