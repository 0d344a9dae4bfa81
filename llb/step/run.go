package step

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Run is commands, and what becomes of the files that they change.
type Run struct {
	Commands []string `json:"commands"` // for /bin/sh, one after another in one shell; the first that fails ends it
	Secrets  []Secret `json:"secrets,omitempty"`
	Timeout  float64  `json:"timeout,omitempty"` // seconds; 0 = none
	Settle   *Settle  `json:"settle,omitempty"`  // nil = what the commands change is no layer by itself

	Began time.Time `json:"-"` // now, as the program that runs the commands sees it: what is older they did not write
	Path  string    `json:"-"` // the PATH in which they look for programs
}

// Exit codes beside the commands' own, as timeout(1) and sh(1) have them.
const (
	TimedOut = 124
	NotFound = 127
)

// Do runs the commands, with their output on stdout and stderr, and gives their exit code. An error is what went wrong afterwards: a secret
// in a file that they left (LeakCode begins its message), a file that cannot be read.
func (r Run) Do(stdout, stderr io.Writer) (code int, err error) {
	values, err := needles(r.Secrets)
	if err != nil {
		return 1, err
	}
	code = r.shell(stdout, stderr, values)
	if code != 0 || r.Settle == nil {
		return code, nil
	}
	if err := r.Settle.apply(r.Began, values); err != nil {
		return 1, err
	}
	return 0, nil
}

func (r Run) shell(stdout, stderr io.Writer, values []needle) int {
	if _, err := os.Stat("/bin/sh"); err != nil {
		fmt.Fprintln(stderr, "mlbuild: this image has no /bin/sh, which commands need")
		return NotFound
	}
	cmd := exec.Command("/bin/sh", "-ec", script(r.Commands))
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // for what the commands leave running with their output open
	if len(values) > 0 {
		out, errs := &masker{to: stdout, needles: values}, &masker{to: stderr, needles: values}
		defer warn(stderr, out, errs)
		cmd.Stdout, cmd.Stderr = out, errs
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(stderr, "mlbuild: cannot start /bin/sh: %v\n", err)
		return NotFound
	}
	late := make(chan struct{})
	if r.Timeout > 0 {
		timer := time.AfterFunc(time.Duration(r.Timeout*float64(time.Second)), func() {
			close(late)
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		})
		defer timer.Stop()
	}
	err := cmd.Wait()
	select {
	case <-late:
		fmt.Fprintf(stderr, "mlbuild: stopped, because it had not ended after %g s\n", r.Timeout)
		return TimedOut
	default:
	}
	return r.explain(err, stderr)
}

// explain gives the exit code; a program that was not found is told with the PATH in which it was looked for.
func (r Run) explain(err error, stderr io.Writer) int {
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return 0
	case !errors.As(err, &exit):
		fmt.Fprintf(stderr, "mlbuild: %v\n", err)
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	if exit.ExitCode() == NotFound {
		fmt.Fprintf(stderr, "mlbuild: the PATH of this step is %s\n", r.Path)
	}
	return exit.ExitCode()
}

// script is the commands as one shell script that shows each before it runs and ends with the first that fails. The shell's -e alone
// goes on where the first part of "a && b" fails.
func script(commands []string) string {
	var b strings.Builder
	for _, c := range commands {
		shown := "'" + strings.ReplaceAll("$ "+c, "'", `'\''`) + "'"
		fmt.Fprintf(&b, "printf '%%s\\n' %s\n%s\nmlbuild_status=$?; if [ $mlbuild_status -ne 0 ]; then exit $mlbuild_status; fi\n", shown, c)
	}
	return b.String()
}
