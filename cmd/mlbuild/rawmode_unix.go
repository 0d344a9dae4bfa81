//go:build !windows

package main

import (
	"os"
	"syscall"

	"github.com/containerd/console"
)

// rawMode hands everything on that is typed and shown. What is shown comes from another terminal, which has made ends of lines of it already.
func rawMode(c console.Console) error {
	if err := c.SetRaw(); err != nil {
		return err
	}
	return console.ClearONLCR(c.Fd())
}

// resized is what tells that the terminal has another size.
var resized = []os.Signal{syscall.SIGWINCH}
