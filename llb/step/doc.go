// Package step is what the build says to the program mlbuild-step, which runs the commands that a project declares inside the build: the values that it
// takes as JSON, and the codes by which it ends or begins a line. It compiles on every system. Package runner does the work.
package step
