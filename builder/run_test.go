package builder

import (
	"context"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Only a download that failed for a passing reason is tried again.
func TestPasses(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"a server that is busy", fault.New(fault.Download, "answers 503").Retryable(), true},
		{"one of several faults", fault.List{fault.New(fault.Spec, "x"), fault.New(fault.Download, "answers 429").Retryable()}, true},
		{"a file that is gone", fault.New(fault.Download, "answers 404"), false},
		{"a connection", fault.New(fault.DaemonLost, "lost").Retryable(), false},
		{"nothing", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := passes(test.err); got != test.want {
				t.Errorf("tried again: %t", got)
			}
		})
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
