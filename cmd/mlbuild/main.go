// Command mlbuild builds container images of Python projects on BuildKit, one layer for each wheel.
//
// What the program says: data (results, digests, JSON, archives) goes to stdout; progress, notes ("note:"), faults ("error[E-…]:") and
// what to do about them ("hint:") go to stderr, in lower case and without a full stop. Colours appear on a terminal only.
//
// Only this package reads the environment and the clock, prints, and exits. Exit codes: 0 done, 1 failed for good, 2 wrong usage, 75 every
// fault may pass by itself, 130 stopped by the user.
//
// It is large because each command has a file and so has each group of flags; main.go starts, run.go has what all commands do in order.
package main

import (
	"cmp"
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// Memory is first collected when 16 MB are in use (the runtime's 4 MB by firstPercent), which a build that has nothing to do never reaches; from then on at half again of what
// is in use: the client of a long build mostly waits. GOGC says otherwise.
const (
	firstPercent = 400
	laterPercent = 50
)

// version is set by the linker. Where it is not, it is that of the module that "go install" took.
var version = cmp.Or(linked, builtVersion(), "dev")

// linked is set by the linker, to what "git describe" says.
var linked string

func main() {
	log.SetOutput(io.Discard) // libraries below say what matters by errors; net/http would tell of a broken connection twice
	if os.Getenv("GOGC") == "" {
		collectLate()
	}
	e := processEnv()
	code := run(e.signals.ending(context.Background()), e, os.Args[1:])
	atExit()
	os.Exit(code)
}

// stopping are the signals that end a run. A terminal or a connection that closes sends SIGHUP; under nohup it is to be ignored.
func stopping() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// collectLate sets the percentages. What the first collection finds unreachable says that it ran.
func collectLate() {
	debug.SetGCPercent(firstPercent)
	runtime.SetFinalizer(new([8]*int), func(*[8]*int) { debug.SetGCPercent(laterPercent) })
}

// atExit ends what a build with -tags pprof has started.
var atExit = func() {}
