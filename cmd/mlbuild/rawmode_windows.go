package main

import (
	"os"

	"github.com/containerd/console"
)

// rawMode hands everything on that is typed.
func rawMode(c console.Console) error { return c.SetRaw() }

// resized is what tells that the terminal has another size. Windows has no signal for it: a program keeps the size that it began with.
var resized []os.Signal
