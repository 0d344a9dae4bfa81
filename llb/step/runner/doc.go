// Package runner runs the commands that a project declares, inside the build: as the program mlbuild-step, in the step's own root. In come a step.Run
// or a step.Collection; out come the commands' output with the values of secrets masked, their exit code, and a tree of declared outputs with fixed
// times, in which no secret's value is. Start at Run and Collect. Linux only.
package runner
