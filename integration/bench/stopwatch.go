package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopwatchArg makes this program run and measure one command in place of a benchmark. A process inherits the peak of resident
// memory of the one that starts it (exec keeps the peak of the memory that vfork shared), so a fresh small process starts the clients.
const stopwatchArg = "stopwatch"

// usage is what the stopwatch saw of a command.
type usage struct {
	Seconds float64 // wall time
	CPU     float64 // user and system seconds
	RSS     int64   // peak in bytes
}

// stopwatch runs args[1:] and writes its usage to the file args[0]; it gives the command's error.
func stopwatch(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: stopwatch FILE COMMAND [ARGUMENT…]")
	}
	runtime.LockOSThread() // the command ends when the thread that started it does
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := time.Now()
	err := cmd.Run()
	u := usage{Seconds: time.Since(started).Seconds()}
	if cmd.ProcessState == nil {
		return err
	}
	u.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.RSS = r.Maxrss << 10 // KiB, getrusage(2)
	}
	data, jsonErr := json.Marshal(u)
	if jsonErr != nil {
		return jsonErr
	}
	return errors.Join(err, os.WriteFile(args[0], data, 0o644))
}

// timedRun runs a command under a stopwatch, its output in an open file.
func timedRun(cmd *exec.Cmd, out *os.File, file string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	cmd.Args = append([]string{self, stopwatchArg, file, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Stdout, cmd.Stderr = self, out, out
	if err := cmd.Run(); err != nil {
		return usage{}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return usage{}, err
	}
	var u usage
	if err := json.Unmarshal(data, &u); err != nil {
		return usage{}, fmt.Errorf("stopwatch: %w", err)
	}
	return u, nil
}
