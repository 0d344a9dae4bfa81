package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
)

// ready waits until the service is what the image promises: healthy, or on one of its ports, or at its end where that is what it is for.
func (t *trial) ready(ctx context.Context) *check.Fault {
	late := time.NewTimer(seconds(t.run.Start))
	defer late.Stop()
	w := wait{ctx, late.C}
	switch {
	case t.run.Ends:
		return t.endsByItself(w)
	case t.run.Health != nil:
		return t.healthy(w)
	case len(t.run.Ports) > 0:
		return t.listening(w)
	}
	if out := t.pause(w, min(time.Second, seconds(t.run.Start)/2)); out != nil {
		return out
	}
	return nil
}

// wait is what ends a wait: the whole check's time, or that of the start.
type wait struct {
	ctx  context.Context
	late <-chan time.Time
}

var errLate = errors.New("the time for the start is over")

// sleep waits for a time. It returns errLate where the start took too long; the check's own end and the service's are told by what follows.
func (t *trial) sleep(w wait, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.main.done:
	case <-w.ctx.Done():
	case <-w.late:
		return errLate
	}
	return nil
}

// over is the fault of a service that ended, or of a check that took all its time, before something; nil = neither.
func (t *trial) over(ctx context.Context, before string) *check.Fault {
	switch {
	case t.main.ended():
		return t.endedEarly(before)
	case ctx.Err() != nil:
		return t.tooLate()
	}
	return nil
}

// pause waits for a time in which the service must not end.
func (t *trial) pause(w wait, d time.Duration) *check.Fault {
	_ = t.sleep(w, d) // the time for the start is longer
	return t.over(w.ctx, "")
}

// endedEarly says how a service ended that should not have.
func (t *trial) endedEarly(before string) *check.Fault {
	s := t.main.status
	f := fault("the service ended by itself %s after %s%s", ending(s), span(t.since(t.began)), before)
	switch {
	case s.Exited() && s.ExitStatus() == 0:
		return f.Hint("a service goes on until it is stopped; a command that is none is checked by smoke: {ends: true}")
	case s.Exited() && s.ExitStatus() == 127:
		return f.Hint("127 is what a shell says of a program that it does not find")
	case s.Signaled() && s.Signal() == syscall.SIGKILL:
		return f.Hint("who kills it is most likely the kernel, for want of memory")
	}
	return f
}

// ending says how a process ended: "with exit code 3".
func ending(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "by the signal " + signalName(s.Signal())
	}
	return "with exit code " + strconv.Itoa(s.ExitStatus())
}

func (t *trial) endsByItself(w wait) *check.Fault {
	switch err := t.sleep(w, seconds(t.run.Timeout)); {
	case t.main.ended():
		if s := t.main.status; !s.Exited() || s.ExitStatus() != 0 {
			return fault("the command ended %s after %s", ending(s), span(t.since(t.began)))
		}
		return nil
	case err != nil:
		return fault("the command did not end by itself within %s", span(seconds(t.run.Start))).Hint("smoke: {start: 5m} gives it more time; without ends: true it is checked as a service")
	}
	return t.tooLate()
}

// listening waits until something listens on one of the image's ports.
func (t *trial) listening(w wait) *check.Fault {
	before := ", before anything listened on " + named(t.run.Ports)
	for pause := 20 * time.Millisecond; ; pause = min(pause*3/2, 250*time.Millisecond) {
		if slices.ContainsFunc(t.run.Ports, answers) {
			return nil
		}
		err := t.sleep(w, pause)
		if f := t.over(w.ctx, before); f != nil {
			return f
		}
		if err != nil {
			f := fault("nothing listens on %s after %s", named(t.run.Ports), span(seconds(t.run.Start)))
			if others := portsOf(listeners()); len(others) > 0 {
				f.Text += ", and it listens on " + named(others)
				return f.Hint("name that port in app.ports, or have the service listen on the one that stands there")
			}
			return f.Hint("smoke: {start: 5m} gives it more time")
		}
	}
}

// answers reports whether something listens on a port of loopback.
func answers(port int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second); err == nil {
			_ = c.Close()
			return true
		}
	}
	return false
}

// healthy waits for the image's health check by docker's rules (docs.docker.com/reference/dockerfile/#healthcheck): a check begins when an interval has passed since the last one, or a start
// interval within the start period, in which none that fails counts; as many failures in a row as there are retries make the service unhealthy. Between them it is asked more often, so that a
// build does not wait for an interval; a failure of such a question counts only if it lasts until docker would have asked.
func (t *trial) healthy(w wait) *check.Fault {
	h := t.run.Health
	next := func(now time.Time) time.Time {
		if now.Sub(t.began) < seconds(h.StartPeriod) {
			return now.Add(seconds(min(h.StartInterval, h.Interval)))
		}
		return now.Add(seconds(h.Interval))
	}
	failures, due := 0, next(t.began)
	for pause := 30 * time.Millisecond; ; pause = min(pause*3/2, time.Second) {
		late := t.sleep(w, max(0, min(pause, due.Sub(t.here.Now()))))
		if f := t.over(w.ctx, ", before its health check passed"); f != nil {
			return f
		}
		asked := t.here.Now()
		p := t.probe(w.ctx)
		switch {
		case p.err == nil:
			return nil
		case p.never:
			return fault("its health check cannot be run: %v", p.err).Hint("app: {healthcheck: {http: /health}} asks by the image's own Python, and needs no program")
		}
		if now := t.here.Now(); !now.Before(due) {
			if due = next(now); asked.Sub(t.began) >= seconds(h.StartPeriod) {
				failures++
			}
		}
		switch f := t.over(w.ctx, ", before its health check passed"); {
		case f != nil:
			return f
		case failures >= h.Retries:
			return t.unhealthy(p, failures)
		case late != nil || t.since(t.began) >= seconds(t.run.Start):
			return t.neverHealthy(p)
		}
	}
}

// probe is one run of the health check.
type probe struct {
	output string
	err    error // why it is not healthy: "it ended with exit code 1"
	never  bool  // its command cannot be started at all
}

// outputOfHealth is how much docker keeps of what a health check prints, in bytes.
const outputOfHealth = 4096

// probe runs the health check once.
func (t *trial) probe(ctx context.Context) probe {
	read, write, err := os.Pipe()
	if err != nil {
		return probe{err: err}
	}
	defer read.Close()
	one, err := t.children.start(t.run.Health.Test, t.run.Dir, t.here.Env, write)
	_ = write.Close()
	if err != nil {
		never := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid)
		return probe{err: fmt.Errorf("its command %s cannot be started: %w", strings.Join(t.run.Health.Test, " "), err), never: never}
	}
	printed := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(io.LimitReader(read, outputOfHealth)) // what was read before an error counts
		printed <- string(data)
		_, _ = io.Copy(io.Discard, read)
	}()
	limit := time.NewTimer(min(seconds(t.run.Health.Timeout), max(0, seconds(t.run.Start)-t.since(t.began))+time.Second))
	defer limit.Stop()
	select {
	case <-one.done:
	case <-limit.C:
		err = errors.New("it did not end within " + span(seconds(t.run.Health.Timeout)))
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.children.killGroup(one)
	p := probe{err: err}
	select {
	case p.output = <-printed:
	case <-time.After(100 * time.Millisecond): // something that it started still has its output
	}
	if s := one.status; err == nil && (!s.Exited() || s.ExitStatus() != 0) {
		p.err = errors.New("it ended " + ending(s))
	}
	return p
}

// unhealthy is the fault of a service that docker would call so.
func (t *trial) unhealthy(p probe, failures int) *check.Fault {
	h := t.run.Health
	f := fault("its health check failed %d times in a row by %s after the start, which makes the service unhealthy (interval %s, start period %s): %s", failures,
		span(t.since(t.began)), span(seconds(h.Interval)), span(seconds(h.StartPeriod)), said(p))
	return t.whyUnhealthy(f).Hint("app: {healthcheck: {start_period: 60s}} gives it time to start")
}

// neverHealthy is the fault of a service whose time is over.
func (t *trial) neverHealthy(p probe) *check.Fault {
	f := fault("the service was not healthy %s after its start; of its health check: %s", span(seconds(t.run.Start)), said(p))
	return t.whyUnhealthy(f).Hint("smoke: {start: 5m} gives it more time")
}

// said is what is known of a health check that failed, with the last line that it printed.
func said(p probe) string {
	text := p.err.Error()
	if out := strings.TrimSpace(p.output); out != "" {
		text += ", and said: " + beginning([]byte(out[strings.LastIndexByte(out, '\n')+1:]), 300)
	}
	return text
}

// askedPort finds the port that a health check asks: of a URL, an option, or the argument behind a host's name.
var askedPort = regexp.MustCompile(`(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[?::1\]?)['"]?\s*[:, ]\s*([0-9]{1,5})\b`)

// whyUnhealthy says on which ports the service listens, where its health check asks another.
func (t *trial) whyUnhealthy(f *check.Fault) *check.Fault {
	m := askedPort.FindStringSubmatch(strings.Join(t.run.Health.Test, " "))
	ports := portsOf(listeners())
	if m == nil {
		return f
	}
	asked, _ := strconv.Atoi(m[1])
	switch {
	case slices.Contains(ports, asked):
	case len(ports) == 0:
		f.Text += "; the service listens on no port, and the health check asks " + m[1]
	default:
		f.Text += "; it listens on " + named(ports) + ", and the health check asks " + m[1]
		f.Hint("app: {healthcheck: {port: " + strconv.Itoa(ports[0]) + "}} asks there, or have the service listen on " + m[1])
	}
	return f
}

// reachable says of a service that is ready which of the image's ports nobody outside of the container could reach.
func (t *trial) reachable() (faults []check.Fault, notes []string) {
	all := listeners()
	open := func(port int, also bool) bool {
		return slices.ContainsFunc(all, func(l listener) bool { return l.port == port && (also || !l.loopback) })
	}
	served := false
	for _, port := range t.run.Ports {
		served = served || open(port, true)
		if open(port, true) && !open(port, false) {
			p := strconv.Itoa(port)
			faults = append(faults, *fault("the service listens on port %s of loopback alone, and nothing outside of the container reaches it there", p).
				Hint("have it listen on 0.0.0.0: --host 0.0.0.0 of uvicorn and flask, --bind 0.0.0.0:" + p + " of gunicorn").
				Hint("if it is not meant to be reached: remove " + p + " from app.ports"))
		}
	}
	if others := portsOf(all); !served && len(t.run.Ports) > 0 && len(others) > 0 {
		notes = append(notes, "the service listens on "+named(others)+", and the image names "+named(t.run.Ports))
	}
	return faults, notes
}
