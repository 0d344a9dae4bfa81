// Package step runs the commands that a project declares, inside the build: as the program mlbuild-step, in the step's own root. In come
// Run and Collection as JSON; out come the commands' output with the values of secrets masked, their exit code, and a tree of
// declared outputs with fixed times, in which no secret's value is.
package step
