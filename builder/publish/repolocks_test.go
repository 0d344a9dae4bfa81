package publish

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Pushes to one repository run one after another, those to others beside them.
func TestRepoLocksSerialise(t *testing.T) {
	locks := NewRepoLocks()
	first, err := locks.Take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := locks.Take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()

	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := fault.New(fault.DaemonLost, "silent")
	cancel(stopped)
	if _, err := locks.Take(ctx, "a"); !errors.Is(err, stopped) {
		t.Errorf("a lock that is held was given: %v", err)
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
		second, err := locks.Take(t.Context(), "a")
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
	third, err := locks.Take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locks.Take(ctx, "a"); err == nil {
		t.Error("a release that was called twice let two in")
	}
	third()
}

func TestRepoLocksRemember(t *testing.T) {
	locks := NewRepoLocks()
	layer := func(s string) ocispecs.Descriptor { return ocispecs.Descriptor{Digest: digest.FromString(s)} }
	if before := locks.Remember("a", []ocispecs.Descriptor{layer("1"), layer("2")}); len(before) != 0 {
		t.Errorf("the first push found %v", before)
	}
	want := map[digest.Digest]bool{layer("1").Digest: true, layer("2").Digest: true}
	if diff := cmp.Diff(want, locks.Remember("a", []ocispecs.Descriptor{layer("3")})); diff != "" {
		t.Error(diff)
	}
	if before := locks.Remember("b", nil); len(before) != 0 {
		t.Errorf("another repository has %v", before)
	}
}

// TestASecondTryKeepsItsLock: what could not be put together is built whole while the same lock of the repository is held.
func TestASecondTryKeepsItsLock(t *testing.T) {
	lock := publisher(Options{Tags: []string{"registry.example/a:1"}, Outputs: pushed}, nil).Lock()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for try := range 2 {
		if err := lock.Take(ctx); err != nil {
			t.Fatalf("try %d: %v", try+1, err)
		}
	}
	lock.Release()
}
