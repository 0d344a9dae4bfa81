package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
