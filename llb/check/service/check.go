package service

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
)

// Here is where a service runs.
type Here struct {
	Env []string         // of the service
	Out io.Writer        // gets the beginning of the service's log
	Now func() time.Time // the clock
}

// trial is a service while it is tried.
type trial struct {
	run      check.Run
	here     Here
	children *children
	main     *child
	log      *journal
	began    time.Time
}

// Check runs the service and says what is wrong with it. All is over within run.Timeout and some seconds, whatever the service does. An error is a check that could not be made.
func Check(ctx context.Context, run check.Run, here Here) (check.Report, error) {
	began := here.Now()
	hidden, err := readSecrets(run.Secrets)
	if err != nil {
		return check.Report{}, err
	}
	report := check.Report{Faults: append(unwritable(run.Writable, os.Getuid()), givenAway(run.Protected, os.Getuid())...)}
	if len(report.Faults) == 0 {
		report = try(ctx, run, here, hidden)
	}
	report.Seconds = rounded(here.Now().Sub(began))
	return hidden.inReport(report), nil
}

// try starts the service, asks it and stops it. Nothing of it is left when it returns.
func try(ctx context.Context, run check.Run, here Here, hidden secrets) (report check.Report) {
	ctx, cancel := context.WithTimeout(ctx, seconds(run.Timeout))
	defer cancel()
	t := &trial{run: run, here: here, children: newChildren(), log: newJournal(here.Out, hidden)}
	defer t.children.close()
	if f := t.start(); f != nil {
		return check.Report{Faults: []check.Fault{*f}}
	}
	report = t.ask(ctx)
	t.children.killAll()
	t.log.close()
	if n := len(report.Faults); n > 0 {
		report.Faults[n-1].Output = t.log.lastLines()
	}
	return report
}

// start starts the image's command.
func (t *trial) start() *check.Fault {
	t.began = t.here.Now()
	write, err := t.log.pipe()
	if err != nil {
		return fault("the service's log cannot be read: %v", err)
	}
	defer write.Close()
	t.main, err = t.children.start(t.run.Command, t.run.Dir, t.here.Env, write)
	if err != nil {
		return notStarted(t.run, t.here.Env, err)
	}
	return nil
}

// ask does all that is done while the service runs.
func (t *trial) ask(ctx context.Context) (report check.Report) {
	if f := t.ready(ctx); f != nil {
		report.Faults = append(report.Faults, *f)
		return report
	}
	report.Healthy = rounded(t.since(t.began))
	if t.run.Ends {
		report.Notes = leftBehind()
		return report
	}
	report.Faults, report.Notes = t.reachable()
	faults, over := t.requests(ctx)
	report.Faults = append(report.Faults, faults...)
	if over {
		return report
	}
	stopped, notes, f := t.stop(ctx)
	report.Stopped, report.Notes = rounded(stopped), append(report.Notes, notes...)
	if f != nil {
		report.Faults = append(report.Faults, *f)
	}
	return report
}

// since is the time that has passed.
func (t *trial) since(then time.Time) time.Duration { return t.here.Now().Sub(then) }

// fault is one of a service, with a sentence.
func fault(format string, args ...any) *check.Fault {
	return &check.Fault{Kind: check.Service, Text: fmt.Sprintf(format, args...)}
}

// tooLate is the fault of a check that took all its time.
func (t *trial) tooLate() *check.Fault {
	return fault("the check was not over after %s", span(seconds(t.run.Timeout)))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// rounded is a time in seconds, in milliseconds.
func rounded(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// span is a time for people: "0.2 s", "90 s".
func span(d time.Duration) string {
	if d < 10*time.Second {
		d = d.Round(100 * time.Millisecond)
	} else {
		d = d.Round(time.Second)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// settle gives a service that just closed a connection a moment to end, so that its end is told and not the connection's.
func (t *trial) settle() {
	select {
	case <-t.main.done:
	case <-time.After(200 * time.Millisecond):
	}
}
