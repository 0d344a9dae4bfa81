package wheel

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxFaults is how many faults of one wheel are told; a hostile wheel could hold a hundred thousand.
const maxFaults = 20

// report collects the faults of one wheel, and its flaws.
type report struct {
	wheel  string // file name, for the messages
	strict bool   // a flaw is a fault
	faults fault.List
	more   int
	flaws  []string
	again  map[string]bool // the flaws, so that each is told once
}

// add notes a fault in an entry of the wheel; entry "" means the wheel as a whole.
func (r *report) add(entry, format string, args ...any) {
	if len(r.faults) == maxFaults {
		r.more++
		return
	}
	r.faults = append(r.faults, r.unsafe(entry, format, args...))
}

// flaw notes that an entry is not as the specification wants it, where installers take it all the same and lay down the same
// files.
func (r *report) flaw(entry, format string, args ...any) {
	if r.strict {
		r.add(entry, format, args...)
		return
	}
	what := fmt.Errorf(format, args...).Error()
	if entry != "" {
		what = fmt.Sprintf("%q: %s", entry, what)
	}
	if r.again == nil {
		r.again = map[string]bool{}
	}
	if !r.again[what] {
		r.again[what] = true
		r.flaws = append(r.flaws, what)
	}
}

// unsafe is one such fault.
func (r *report) unsafe(entry, format string, args ...any) *fault.Fault {
	what := fmt.Errorf(format, args...)
	if entry == "" {
		return fault.New(fault.WheelUnsafe, "%s: %w", r.wheel, what)
	}
	return fault.New(fault.WheelUnsafe, "%s: %q: %w", r.wheel, entry, what)
}

// err is everything found, nil if nothing was.
func (r *report) err() error {
	if r.more > 0 {
		r.faults = append(r.faults, r.unsafe("", "%d more faults", r.more))
		r.more = 0
	}
	return r.faults.Err()
}

// ioFault wraps an error of the file system, which is no fault of the wheel.
func ioFault(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, syscall.ENOSPC) {
		return fault.New(fault.Disk, "%s: %w", what, err).Retryable()
	}
	return fault.New(fault.Internal, "%s: %w", what, err)
}
