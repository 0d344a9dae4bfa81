package publish

import (
	"errors"
	"io"
	"os"
	"sync"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Written notes why what the client writes could not be written. The daemon, which sends it, returns such an error as a text of its own.
type Written struct {
	mu  sync.Mutex
	err error
}

// Err returns the first error: fault.Output, nil if there was none.
func (w *Written) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Written) note(err error) {
	if err == nil || errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	if w.err = err; !fault.Is(err, fault.Output) {
		w.err = fault.New(fault.Output, "cannot write the output: %w", err).Hint("make room there, or name another place")
	}
}

// watching returns an exporter whose file notes what goes wrong.
func (w *Written) watching(e bkclient.ExportEntry) bkclient.ExportEntry {
	open := e.Output
	if open == nil || w == nil {
		return e
	}
	e.Output = func(attrs map[string]string) (io.WriteCloser, error) {
		file, err := open(attrs)
		w.note(err)
		if err != nil {
			return nil, err
		}
		return watched{file, w}, nil
	}
	return e
}

// watched is a file of an output.
type watched struct {
	io.WriteCloser
	to *Written
}

// Write implements io.Writer.
func (f watched) Write(p []byte) (int, error) {
	n, err := f.WriteCloser.Write(p)
	f.to.note(err)
	return n, err //nolint:wrapcheck // the file's own
}

// Close implements io.Closer.
func (f watched) Close() error {
	err := f.WriteCloser.Close()
	f.to.note(err)
	return err //nolint:wrapcheck // the file's own
}
