package main

import (
	"os"
	"syscall"
	"testing"
)

// TestSignals: a program that was started takes the signals that end a run, but not that its terminal went away.
func TestSignals(t *testing.T) {
	var s signals
	if s.taken(os.Interrupt) {
		t.Error("a signal was taken before anybody took them")
	}
	ch, release := s.take()
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if !s.taken(sig) || <-ch != sig {
			t.Errorf("%v was not taken", sig)
		}
	}
	if s.taken(syscall.SIGHUP) {
		t.Error("SIGHUP was taken")
	}
	for range 100 { // of which nobody takes any
		if !s.taken(os.Interrupt) {
			t.Fatal("a signal was not taken")
		}
	}
	if release(); s.taken(os.Interrupt) {
		t.Error("a signal was taken after they were released")
	}
}
