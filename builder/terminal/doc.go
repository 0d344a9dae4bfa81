// Package terminal runs a program in a container of the build daemon, with the streams of whoever waits for it: in an image that was solved, or in a step that
// failed. A gateway, what is to be run and the streams come in; the program's exit code comes out. What the program writes is thrown away.
//
// Start with run.go; image.go and failed.go say what is run on an image and in a failed step, shell.go finds a shell there.
package terminal
