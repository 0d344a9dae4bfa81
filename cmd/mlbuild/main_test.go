package main

import (
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestCollectLate: after the first collection memory is collected earlier.
func TestCollectLate(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	collectLate()
	if got := percent(); got != firstPercent {
		t.Errorf("%d %% at first", got)
	}
	for range 100 {
		runtime.GC()
		if percent() == laterPercent {
			return
		}
		time.Sleep(10 * time.Millisecond) // finalizers run after the collection
	}
	t.Errorf("%d %% after a collection", percent())
}

// TestStoppingSignals: a terminal that closes ends a run as Ctrl-C does, so that no half-written file stays; under nohup it goes on.
func TestStoppingSignals(t *testing.T) {
	for _, want := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !slices.Contains(stopping(), want) && !signal.Ignored(want) {
			t.Errorf("%s does not end a run", want)
		}
	}
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Ignore(syscall.SIGHUP)
		defer signal.Reset(syscall.SIGHUP)
	}
	if slices.Contains(stopping(), os.Signal(syscall.SIGHUP)) {
		t.Error("a signal that is ignored, as under nohup, ends a run")
	}
}
