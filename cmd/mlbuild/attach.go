package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/containerd/console"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/terminal"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// attach connects a program in the daemon with stdin, out and stderr: as a terminal where stdin and out are one, else as pipes. Signals go to the program until the streams
// are closed. Nothing else may be written meanwhile.
func (e *env) attach(out io.Writer) (builder.Streams, error) {
	s := builder.Streams{In: io.NopCloser(e.stdin), Out: nopCloser{raw(out)}, Err: nopCloser{raw(e.stderr)}}
	in, restore := e.terminal(), func() {}
	if in != nil && isTerminal(out) {
		if err := rawMode(in); err != nil {
			_ = in.Reset()
			return s, fault.New(fault.Output, "the terminal cannot be used: %w", err)
		}
		s.TTY, restore = true, func() { _ = in.Reset() }
	}
	signals, release := e.signals.take()
	done := make(chan struct{})
	s.Signals = systemSignals(signals, done)
	stopSizes := func() {}
	if s.TTY {
		s.Sizes, stopSizes = sizes(in, done)
	}
	s.Close = func() {
		close(done)
		stopSizes()
		release()
		restore()
	}
	return s, nil
}

// terminal is stdin as a terminal, nil if it is none.
func (e *env) terminal() console.Console { return terminalOf(e.stdin) }

// systemSignals are signals as the daemon takes them, until done.
func systemSignals(from <-chan os.Signal, done <-chan struct{}) <-chan syscall.Signal {
	to := make(chan syscall.Signal)
	go func() {
		for {
			select {
			case <-done:
				return
			case sig := <-from:
				if s, ok := sig.(syscall.Signal); ok {
					select {
					case to <- s:
					case <-done:
						return
					}
				}
			}
		}
	}()
	return to
}

// repeated is after how long the first size of a terminal is told again: the daemon's container runtime may not hear it while it starts.
var repeated = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}

// sizes are those of a terminal: the present one, and each that follows, until done.
func sizes(of console.Console, done <-chan struct{}) (all <-chan terminal.Size, stop func()) {
	to, changed := make(chan terminal.Size), make(chan os.Signal, 1)
	if len(resized) > 0 {
		signal.Notify(changed, resized...)
	}
	go func() {
		for told := 0; ; told++ {
			if size, err := of.Size(); err == nil {
				select {
				case to <- terminal.Size{Rows: uint32(size.Height), Cols: uint32(size.Width)}:
				case <-done:
					return
				}
			}
			var again <-chan time.Time
			if told < len(repeated) {
				again = time.After(repeated[told])
			}
			select {
			case <-changed:
			case <-again:
			case <-done:
				return
			}
		}
	}()
	return to, func() { signal.Stop(changed) }
}
