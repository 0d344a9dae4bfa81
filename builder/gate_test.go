package builder

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestGateHoldsAll: nobody passes a point before all have come to it.
func TestGateHoldsAll(t *testing.T) {
	g := newGate(3)
	var mu sync.Mutex
	passed, come := 0, 0
	var wg sync.WaitGroup
	for i, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
			mu.Lock()
			come++
			mu.Unlock()
			if err := g.wait(t.Context(), madePoint, name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if passed++; come != 3 {
				t.Errorf("%s passed when %d had come", name, come)
			}
		})
	}
	wg.Wait()
	if passed != 3 {
		t.Errorf("%d passed", passed)
	}
}

// TestGateOfAFailure: those that wait, and those that come later, are told.
func TestGateOfAFailure(t *testing.T) {
	g := newGate(3)
	first := make(chan error)
	go func() { first <- g.wait(t.Context(), madePoint, "a") }()
	g.end("b", true)
	if err := <-first; !errors.Is(err, errHeld) {
		t.Errorf("the one that waited: %v", err)
	}
	if err := g.wait(t.Context(), madePoint, "c"); !errors.Is(err, errHeld) {
		t.Errorf("the one that came later: %v", err)
	}
}

// TestGateOfAFailedPush: the first point was passed, and no tag is put.
func TestGateOfAFailedPush(t *testing.T) {
	g := newGate(2)
	go func() { _ = g.wait(t.Context(), madePoint, "b"); g.end("b", true) }()
	if err := g.wait(t.Context(), madePoint, "a"); err != nil {
		t.Fatal(err)
	}
	if err := g.wait(t.Context(), pushedPoint, "a"); !errors.Is(err, errHeld) {
		t.Errorf("the tag: %v", err)
	}
}

// TestGateOfOneThatIsDone: a variant with nothing to push is no reason to wait.
func TestGateOfOneThatIsDone(t *testing.T) {
	g := newGate(2)
	g.end("b", false)
	for _, point := range []int{madePoint, pushedPoint} {
		if err := g.wait(t.Context(), point, "a"); err != nil {
			t.Errorf("point %d: %v", point, err)
		}
	}
}

func TestGateIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newGate(2).wait(ctx, madePoint, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := newGate(1).wait(ctx, madePoint, "a"); err != nil {
		t.Errorf("one alone waits for nobody: %v", err)
	}
}
