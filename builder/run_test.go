package builder

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Pushes to one repository run one after another, those to others beside them.
func TestTurnsSerialise(t *testing.T) {
	turns := newTurns()
	first, err := turns.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := turns.take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()

	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := fault.New(fault.DaemonLost, "silent")
	cancel(stopped)
	if _, err := turns.take(ctx, "a"); !errors.Is(err, stopped) {
		t.Errorf("a taken turn was given: %v", err)
	}

	var mu sync.Mutex
	var order []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, s)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		second, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Error(err)
			return
		}
		note("second")
		second()
	})
	note("first")
	first()
	first() // ends it once
	wg.Wait()
	if diff := cmp.Diff([]string{"first", "second"}, order); diff != "" {
		t.Error(diff)
	}
	third, err := turns.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := turns.take(ctx, "a"); err == nil {
		t.Error("a release that was called twice let two in")
	}
	third()
}

func TestTurnsRemember(t *testing.T) {
	turns := newTurns()
	layer := func(s string) ocispecs.Descriptor { return ocispecs.Descriptor{Digest: digest.FromString(s)} }
	if before := turns.remember("a", []ocispecs.Descriptor{layer("1"), layer("2")}); len(before) != 0 {
		t.Errorf("the first push found %v", before)
	}
	want := map[digest.Digest]bool{layer("1").Digest: true, layer("2").Digest: true}
	if diff := cmp.Diff(want, turns.remember("a", []ocispecs.Descriptor{layer("3")})); diff != "" {
		t.Error(diff)
	}
	if before := turns.remember("b", nil); len(before) != 0 {
		t.Errorf("another repository has %v", before)
	}
}

// The watcher takes everything, whoever reads behind it, and hands it on in order.
func TestWatcherDrains(t *testing.T) {
	w := newWatcher(nil)
	in, done := w.channel()
	for range 1000 {
		in <- &bkclient.SolveStatus{}
	}
	close(in)
	<-done
	w.close()

	next := make(chan *bkclient.SolveStatus)
	w = newWatcher(next)
	var names []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for s := range next {
			names = append(names, s.Vertexes[0].Name)
		}
	})
	for _, part := range []string{"a b", "c"} { // two builds of one variant
		in, done := w.channel()
		for name := range strings.FieldsSeq(part) {
			in <- &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: digest.FromString(name), Name: name}}}
		}
		close(in)
		<-done
	}
	w.close()
	wg.Wait()
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestWatcherCounts(t *testing.T) {
	w, now := newWatcher(nil), time.Unix(1, 0)
	step := func(name string, v bkclient.Vertex) *bkclient.SolveStatus {
		v.Digest, v.Name = digest.FromString(name), name
		return &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{&v}}
	}
	w.keep(step("ran", bkclient.Vertex{Started: &now}))
	w.keep(step("ran", bkclient.Vertex{Started: &now, Completed: &now}))
	w.keep(step("cached", bkclient.Vertex{Started: &now, Completed: &now, Cached: true}))
	w.keep(step("failed", bkclient.Vertex{Started: &now, Completed: &now, Error: "no"}))
	w.keep(step("waits", bkclient.Vertex{}))
	if cached, ran := w.counts(); cached != 1 || ran != 1 {
		t.Errorf("%d cached, %d ran; want 1 and 1", cached, ran)
	}
}

// The end of a long output is what is kept.
func TestWatcherKeepsTheEnd(t *testing.T) {
	w, step := newWatcher(nil), digest.FromString("step")
	w.keep(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: step, Name: "apt", Error: "exit code: 1"}, {Digest: digest.FromString("x"), Name: "x", Error: "context canceled"}}})
	for range 100 {
		w.keep(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: step, Data: []byte(strings.Repeat("noise ", 1000))}}})
	}
	w.keep(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{{Vertex: step, Data: []byte("\nthe reason\n")}}})
	for _, err := range []error{errdefs.WrapVertex(errors.New("failed"), step), errors.New("failed")} {
		name, output := w.failure(err)
		if name != "apt" || !strings.HasSuffix(output, "the reason") || len(output) > maxLog || len(output) < maxLog/2 {
			t.Errorf("%v: step %q, %d bytes", err, name, len(output))
		}
	}
	if name, output := newWatcher(nil).failure(errors.New("failed")); name != "" || output != "" {
		t.Errorf("without steps: %q, %q", name, output)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{Tries: 3, First: time.Nanosecond}
	for n, want := range []bool{true, true, true, false} {
		if got := b.wait(t.Context(), n); got != want {
			t.Errorf("try %d: %t", n, got)
		}
	}
	if !(Backoff{}).wait(t.Context(), 0) || (Backoff{}).wait(t.Context(), 3) {
		t.Error("by default there are three tries, the first at once")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if (Backoff{First: time.Hour}).wait(ctx, 1) {
		t.Error("a stopped build is tried again")
	}
}

// Projects keep their transfer apart from each other, and find it again.
func TestSharedKey(t *testing.T) {
	a, b := running(t, Request{Dir: "/srv/a"}), running(t, Request{Dir: "/srv/b"})
	if a.sharedKey() == b.sharedKey() || a.sharedKey() != running(t, Request{Dir: "/srv/../srv/a/"}).sharedKey() {
		t.Errorf("keys %s and %s", a.sharedKey(), b.sharedKey())
	}
}

// TestASecondTryKeepsItsTurn: what could not be put together is built whole within the same turn at the repository.
func TestASecondTryKeepsItsTurn(t *testing.T) {
	m := &making{build: &build{turns: newTurns()}, v: tagged(t, "registry.example/a:1")}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for try := range 2 {
		if err := m.takeTurn(ctx); err != nil {
			t.Fatalf("try %d: %v", try+1, err)
		}
	}
	m.release()
}
