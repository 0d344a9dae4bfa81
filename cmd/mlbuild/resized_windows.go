package main

import "os"

// resized is what tells that the terminal has another size. Windows has no signal for it: a program keeps the size that it began with.
var resized []os.Signal
