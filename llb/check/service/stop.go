package service

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
)

// signals are those of Linux by their numbers (signal(7)).
var signals = []string{
	1: "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
	"SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
}

// The real-time signals, as glibc numbers them.
const (
	firstRealTime = 34
	lastRealTime  = 64
)

// readSignal reads "SIGTERM", "TERM", "15", "SIGRTMIN+3" or "SIGRTMAX-1".
func readSignal(name string) (syscall.Signal, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return syscall.Signal(n), n > 0 && n <= lastRealTime
	}
	name = "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if i := slices.Index(signals, name); i > 0 {
		return syscall.Signal(i), true
	}
	for prefix, from := range map[string]int{"SIGRTMIN": firstRealTime, "SIGRTMAX": lastRealTime} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			n, err := strconv.Atoi(rest)
			at := from + n
			return syscall.Signal(at), (rest == "" || err == nil) && at >= firstRealTime && at <= lastRealTime
		}
	}
	return 0, false
}

func signalName(s syscall.Signal) string {
	if int(s) < len(signals) && signals[s] != "" {
		return signals[s]
	}
	return strconv.Itoa(int(s))
}

// stop sends the stop signal and wants the service to end cleanly.
func (t *trial) stop(ctx context.Context) (took time.Duration, notes []string, f *check.Fault) {
	sig, ok := readSignal(t.run.Signal)
	if !ok {
		return 0, nil, fault("the image's stop signal %s is none of Linux", t.run.Signal).Hint("for example app: {stop_signal: SIGTERM}")
	}
	cares, sent := catches(t.main.pid, sig), t.here.Now()
	t.children.signal(t.main, sig)
	timer := time.NewTimer(seconds(t.run.Grace))
	defer timer.Stop()
	select {
	case <-t.main.done:
	case <-ctx.Done():
		return t.since(sent), nil, t.tooLate()
	case <-timer.C:
		return t.since(sent), nil, fault("the service did not end within %s of %s", span(seconds(t.run.Grace)), signalName(sig)).
			Hint("have it handle " + signalName(sig) + ", or name in app.stop_signal the one that it handles; smoke: {stop: 30s} gives it more time").
			Hint("a shell does not pass signals on: exec before the last command of a script")
	}
	took = t.since(sent)
	if !t.clean(sig) {
		f = fault("the service ended %s when it was stopped by %s", ending(t.main.status), signalName(sig)).
			Hint(fmt.Sprintf("if that is how it ends: smoke: {exit: [%d]}", exitCode(t.main.status)))
	}
	if s := t.main.status; !cares && s.Signaled() && s.Signal() == sig {
		notes = append(notes, "the command does nothing about "+signalName(sig)+", and the first process of a container does not get it then: docker stop waits, and kills it. app: {init: true} helps, or a handler")
	}
	return took, append(notes, leftBehind()...), f
}

// exitCode is how a shell says it.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// clean reports whether the service ended as one does that was stopped by a signal.
func (t *trial) clean(sig syscall.Signal) bool {
	s := t.main.status
	if s.Signaled() && s.Signal() != sig { // killed by something else, whatever the code
		return slices.Contains(t.run.Exit, exitCode(s))
	}
	code := exitCode(s)
	return code == 0 || code == 128+int(sig) || slices.Contains(t.run.Exit, code)
}

// leftBehind names the processes that are there after the service's own has ended. Those that are about to end get a moment.
func leftBehind() []string {
	var left []process
	for range 10 {
		if left = descendants(os.Getpid()); len(left) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	const most = 5
	var names []string
	for _, p := range left[:min(len(left), most)] {
		names = append(names, fmt.Sprintf("%s (%d)", p.name, p.pid))
	}
	if len(left) > most {
		names = append(names, "…")
	}
	count := "1 process was"
	if len(left) > 1 {
		count = strconv.Itoa(len(left)) + " processes were"
	}
	return []string{count + " left when the command had ended, and killed: " + strings.Join(names, ", ")}
}
