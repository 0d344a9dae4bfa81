package wheel

import (
	"io"
	"sync/atomic"
)

const (
	relayFrom   = 16 << 20  // entries of this many bytes are hashed and written beside inflating
	relayBuffer = 512 << 10 // bytes of one buffer
	relayCount  = 4         // buffers
)

// relay passes writes on to another writer on a goroutine of its own, so that one very large entry keeps two CPUs busy.
type relay struct {
	full, free chan []byte
	buf        []byte
	failed     atomic.Pointer[error]
	done       chan struct{}
}

func newRelay(to io.Writer) *relay {
	r := &relay{full: make(chan []byte, relayCount), free: make(chan []byte, relayCount), done: make(chan struct{})}
	for range relayCount {
		r.free <- make([]byte, 0, relayBuffer)
	}
	r.buf = <-r.free
	go r.pass(to)
	return r
}

// pass writes what comes until Close. After a failure it only empties the queue.
func (r *relay) pass(to io.Writer) {
	defer close(r.done)
	for b := range r.full {
		if r.failed.Load() == nil {
			if _, err := to.Write(b); err != nil {
				r.failed.Store(&err)
			}
		}
		r.free <- b[:0]
	}
}

// Write takes p over, or returns the error of an earlier write.
func (r *relay) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if err := r.failed.Load(); err != nil {
			return 0, *err
		}
		if len(r.buf) == cap(r.buf) {
			r.full <- r.buf
			r.buf = <-r.free
		}
		room := min(len(p), cap(r.buf)-len(r.buf))
		r.buf = append(r.buf, p[:room]...)
		p = p[room:]
	}
	return n, nil
}

// Close waits until everything is written and returns the first error.
func (r *relay) Close() error {
	r.full <- r.buf
	close(r.full)
	<-r.done
	if err := r.failed.Load(); err != nil {
		return *err
	}
	return nil
}
