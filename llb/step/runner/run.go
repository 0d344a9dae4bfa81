package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mlbuild/mlbuild/llb/step"
)

// Here is where and when commands run.
type Here struct {
	Began time.Time // now: what is older they did not write
	Path  string    // the PATH in which they look for programs
}

// Run runs the commands, with their output on stdout and stderr, and returns their exit code. An error is what went wrong afterwards: a secret
// in a file that they left (step.LeakCode begins its message), a file that cannot be read.
func Run(r step.Run, here Here, stdout, stderr io.Writer) (code int, err error) {
	values, err := needles(r.Secrets)
	if err != nil {
		return 1, err
	}
	code = shell(r, here.Path, stdout, stderr, values)
	if code != 0 {
		return code, nil
	}
	if r.Settle != nil {
		if err := apply(*r.Settle, here.Began, values); err != nil {
			return 1, err
		}
	}
	if r.Lost != nil {
		if places := lost(*r.Lost, here.Began); places != "" {
			fmt.Fprintf(stderr, "%s: the commands also wrote %s, which the image does not keep; outputs: names what it keeps\n", step.LostCode, places)
		}
	}
	return 0, nil
}

func shell(r step.Run, path string, stdout, stderr io.Writer, values []needle) int {
	if _, err := os.Stat("/bin/sh"); err != nil {
		fmt.Fprintln(stderr, "mlbuild: this image has no /bin/sh, which commands need")
		return step.NotFound
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
		return step.NotFound
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
		return step.TimedOut
	default:
	}
	return explain(err, path, stderr)
}

// explain returns the exit code; a program that was not found is told with the PATH in which it was looked for.
func explain(err error, path string, stderr io.Writer) int {
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
	if exit.ExitCode() == step.NotFound {
		fmt.Fprintf(stderr, "mlbuild: the PATH of this step is %s\n", path)
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
