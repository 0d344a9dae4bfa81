// Package fault is the one error type of mlbuild: what failed, where, what to do, and whether a retry
// can help. Every package of mlbuild returns it; cmd prints it and turns it into an exit code.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code names a kind of fault, for example "E-SPEC". Every code has a section in docs/errors.md.
type Code string

// The codes. docs/errors.md explains each; a test holds the two together.
const (
	Spec          Code = "E-SPEC"           // the project file, a flag or a path is wrong
	Platform      Code = "E-PLATFORM"       // a platform is unknown, or nobody here can build it
	User          Code = "E-USER"           // the image's user is impossible
	SecretLeak    Code = "E-SECRET-LEAK"    // a secret stands where it would be published
	Cuda          Code = "E-CUDA"           // CUDA, framework, driver or base do not fit
	Wheel         Code = "E-WHEEL"          // no wheel of a package fits the platform
	Variant       Code = "E-VARIANT"        // a CPU profile would pull CUDA libraries
	ABI           Code = "E-ABI"            // the base's libc cannot load a wheel
	LockStale     Code = "E-LOCK-STALE"     // the lock does not match the project
	LockHash      Code = "E-LOCK-HASH"      // an entry of the lock has no sha256
	Lock          Code = "E-LOCK"           // the lock cannot be used
	Digest        Code = "E-DIGEST"         // downloaded bytes are not what was promised
	Download      Code = "E-DOWNLOAD"       // a download failed: 401, 404, 5xx, network
	Sdist         Code = "E-SDIST"          // a package has only a source distribution
	Cooldown      Code = "E-COOLDOWN"       // a version is younger than the project takes
	Resolve       Code = "E-RESOLVE"        // the requirements have no solution
	Index         Code = "E-INDEX"          // a package index is ambiguous, unknown or unreachable
	WheelUnsafe   Code = "E-WHEEL-UNSAFE"   // a wheel is malformed or malicious
	Deb           Code = "E-DEB"            // a system package cannot stand in this image
	DebUnsafe     Code = "E-DEB-UNSAFE"     // a system package is malformed or malicious
	Context       Code = "E-CONTEXT"        // a file of the project is missing, outside or unsendable
	Secret        Code = "E-SECRET"         // a secret is missing, empty, unreadable or too large
	Daemon        Code = "E-DAEMON"         // no buildkitd answers
	DaemonVersion Code = "E-DAEMON-VERSION" // the daemon is too old, or no buildkitd
	DaemonLost    Code = "E-DAEMON-LOST"    // the daemon went away during the build
	TLS           Code = "E-TLS"            // certificates do not prove what they should
	Entitlement   Code = "E-ENTITLEMENT"    // the daemon does not grant what a step needs
	Disk          Code = "E-DISK"           // the daemon's disk is full
	Embedded      Code = "E-EMBEDDED"       // the local default daemon cannot start
	Ref           Code = "E-REF"            // an image reference is malformed
	Base          Code = "E-BASE"           // the base image is missing or private
	BaseGone      Code = "E-BASE-GONE"      // the pinned base digest is gone or was replaced
	Auth          Code = "E-AUTH"           // the registry rejected the credentials
	Denied        Code = "E-DENIED"         // the registry refuses these credentials
	Registry      Code = "E-REGISTRY"       // the registry failed: quota, 5xx, 429
	CA            Code = "E-CA"             // the daemon does not trust a server's certificate
	Step          Code = "E-STEP"           // a step of the build exited with an error
	Output        Code = "E-OUTPUT"         // a result cannot be written here
	Cancelled     Code = "E-CANCELLED"      // the user stopped the build
	Usage         Code = "E-USAGE"          // the command line is wrong
	Internal      Code = "E-INTERNAL"       // a fault of mlbuild itself
)

// Position is a place in a file. Line and Column count from 1; 0 means unknown.
type Position struct {
	File   string `json:"file,omitempty"`   // path in the project, or of the user's
	Line   int    `json:"line,omitempty"`   // from 1
	Column int    `json:"column,omitempty"` // from 1
}

// String renders file:line:column, leaving out what is unknown.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
		if p.Column > 0 {
			s += fmt.Sprintf(":%d", p.Column)
		}
	}
	return s
}

// Fault is one thing that is wrong.
type Fault struct {
	Code    Code     `json:"code"`              // of the kind of fault, docs/errors.md
	Message string   `json:"message"`           // what failed; lower case, no full stop
	At      Position `json:"at,omitzero"`       // where in the user's files
	Snippet string   `json:"snippet,omitempty"` // the lines around At, drawn for a terminal
	Hints   []string `json:"hints,omitempty"`   // what to do, each a sentence or a command
	Retry   bool     `json:"retry,omitempty"`   // the same command may succeed later
	Err     error    `json:"-"`                 // the cause, if another error is behind it
}

// New makes a fault with a formatted message. An error among args given for %w becomes its cause.
func New(code Code, format string, args ...any) *Fault {
	err := fmt.Errorf(format, args...)
	return &Fault{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Error is the message with its code and place on one line.
func (f *Fault) Error() string {
	if f.At.File == "" {
		return fmt.Sprintf("%s: %s", f.Code, f.Message)
	}
	return fmt.Sprintf("%s: %s: %s", f.Code, f.At, f.Message)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Hint adds what to do and returns f.
func (f *Fault) Hint(format string, args ...any) *Fault {
	f.Hints = append(f.Hints, fmt.Sprintf(format, args...))
	return f
}

// In sets the place and returns f.
func (f *Fault) In(p Position) *Fault {
	f.At = p
	return f
}

// Retryable marks f as one that may pass by itself and returns f.
func (f *Fault) Retryable() *Fault {
	f.Retry = true
	return f
}

// List is several faults found at once.
type List []*Fault

// Error joins the faults, one a line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, f := range l {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each fault, so that errors.As finds the first.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, f := range l {
		errs[i] = f
	}
	return errs
}

// Err is l as an error, nil if there is no fault. Faults are sorted by place, then kept in order found.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	sorted := slices.Clone(l)
	slices.SortStableFunc(sorted, func(a, b *Fault) int {
		return comparePosition(a.At, b.At)
	})
	return sorted
}

func comparePosition(a, b Position) int {
	if c := strings.Compare(a.File, b.File); c != 0 {
		return c
	}
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// All returns every fault inside err: of a List, of joined errors, or err itself as an internal fault.
// Nil returns nil.
func All(err error) List {
	switch e := err.(type) {
	case nil:
		return nil
	case *Fault:
		return List{e}
	case List:
		return e
	case interface{ Unwrap() []error }:
		var all List
		for _, inner := range e.Unwrap() {
			all = append(all, All(inner)...)
		}
		return all
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return List{f}
	}
	return List{{Code: Internal, Message: err.Error(), Err: err}}
}

// Is reports whether err holds a fault of the code.
func Is(err error, code Code) bool {
	return slices.ContainsFunc(All(err), func(f *Fault) bool { return f.Code == code })
}
