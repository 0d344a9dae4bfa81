//go:build !windows

package main

import (
	"os"
	"syscall"
)

// resized is what tells that the terminal has another size.
var resized = []os.Signal{syscall.SIGWINCH}
