package deb

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxFaults is how many faults of one package are told; a hostile package could hold a hundred thousand.
const maxFaults = 20

// readError is an error of the file that is read, writeError one of what is written, as opposed to one of the package.
type (
	readError  struct{ error }
	writeError struct{ error }
)

func (e readError) Unwrap() error  { return e.error }
func (e writeError) Unwrap() error { return e.error }

// report collects the faults of one package.
type report struct {
	deb    string // file name, for the messages
	faults fault.List
	more   int
}

// add notes a fault in an entry of the package; entry "" means the package as a whole.
func (r *report) add(entry string, err error) {
	if len(r.faults) == maxFaults {
		r.more++
		return
	}
	r.faults = append(r.faults, r.fault(entry, err))
}

// fault makes a fault of an error: of the package itself, unless the error says otherwise.
func (r *report) fault(entry string, err error) *fault.Fault {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f
	}
	if e, ok := errors.AsType[readError](err); ok {
		return ioFault(e.error, "read %s", r.deb)
	}
	if e, ok := errors.AsType[writeError](err); ok {
		return ioFault(e.error, "write /%s of %s", entry, r.deb)
	}
	if entry == "" {
		return fault.New(fault.DebUnsafe, "%s: %w", r.deb, err)
	}
	return fault.New(fault.DebUnsafe, "%s: %q: %w", r.deb, entry, err)
}

// err is everything found, nil if nothing was.
func (r *report) err() error {
	if r.more > 0 {
		r.faults = append(r.faults, r.fault("", fmt.Errorf("%d more faults", r.more)))
		r.more = 0
	}
	return r.faults.Err()
}

// ioFault wraps an error of the file system, which is no fault of the package.
func ioFault(err error, format string, args ...any) *fault.Fault {
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, syscall.ENOSPC) {
		return fault.New(fault.Disk, "%s: %w", what, err).Retryable()
	}
	return fault.New(fault.Internal, "%s: %w", what, err)
}
