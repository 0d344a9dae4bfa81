package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals are those that end a run. A program that the run has started may take them in its place. The zero value hears none.
type signals struct {
	mu    sync.Mutex
	taker chan<- os.Signal
}

// ending returns a context that the first signal ends which nobody takes. The second ends this program at once.
func (s *signals) ending(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, stopping()...)
	go func() {
		for sig := range heard {
			if s.taken(sig) {
				continue
			}
			signal.Stop(heard)
			cancel()
			return
		}
	}()
	return ctx
}

// taken hands a signal to whoever takes it, and reports whether somebody does. A terminal that went away ends the run whatever runs in it.
func (s *signals) taken(sig os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taker == nil || sig == syscall.SIGHUP {
		return false
	}
	select {
	case s.taker <- sig:
	default: // it has enough of them
	}
	return true
}

// take returns the signals that would end the run, until release is called.
func (s *signals) take() (taken <-chan os.Signal, release func()) {
	ch := make(chan os.Signal, 8)
	s.set(ch)
	return ch, func() { s.set(nil) }
}

func (s *signals) set(taker chan<- os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taker = taker
}
