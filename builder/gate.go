package builder

import (
	"context"
	"errors"
	"sync"
)

// Gates say what has to be known before a tag is put, beside that the image is right.
type Gates struct {
	Atomic         bool // nothing is pushed before every variant is made and has passed its checks, and no tag is put before all are pushed
	IfTagUnchanged bool // nobody else has moved the first tag since the build began
	KeepFailed     bool // an image that fails a check is pushed all the same, without a tag
}

// gate holds the variants of a run together (--atomic): none is pushed before all are made and have passed their checks, and no tag is put before all are pushed. A nil gate holds
// nothing back.
type gate struct {
	points [2]*meeting
}

// The points at which variants wait for each other.
const (
	madePoint   = iota // everything is made and checked
	pushedPoint        // everything but the tags is in the registry
)

// newGate returns a gate for some variants, nil for one alone.
func newGate(variants int) *gate {
	if variants < 2 {
		return nil
	}
	return &gate{[2]*meeting{newMeeting(variants), newMeeting(variants)}}
}

// wait waits until every variant has come to a point. errHeld says that one of them has failed.
func (g *gate) wait(ctx context.Context, point int, variant string) error {
	if g == nil {
		return nil
	}
	return g.points[point].wait(ctx, variant)
}

// end says that a variant needs nothing more, or has failed.
func (g *gate) end(variant string, failed bool) {
	if g == nil {
		return
	}
	for _, m := range g.points {
		m.come(variant, failed)
	}
}

// errHeld ends a variant that is right and is not published because another one is not.
var errHeld = errors.New("another profile has failed")

// meeting is a point where all wait for all.
type meeting struct {
	mu       sync.Mutex
	variants int             // that are expected
	here     map[string]bool // that have come
	all      chan struct{}   // closed when all have come, or one has failed
	open     bool            // it is closed
	lost     bool            // one had failed before all came
}

func newMeeting(variants int) *meeting {
	return &meeting{variants: variants, here: map[string]bool{}, all: make(chan struct{})}
}

// come notes that a variant is here, or has failed on its way. What fails later changes nothing.
func (m *meeting) come(variant string, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open {
		return
	}
	m.here[variant], m.lost = true, failed
	if m.lost || len(m.here) == m.variants {
		m.open = true
		close(m.all)
	}
}

func (m *meeting) wait(ctx context.Context, variant string) error {
	m.come(variant, false)
	select {
	case <-m.all:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost {
		return errHeld
	}
	return nil
}
