// Package service runs an image's service where the image was built, as the program mlbuild-check: a check.Run comes in, a check.Report goes out. It is the first process of the container:
// it starts the image's own command, reaps whatever ends, waits until the service is ready, asks it what the project says, stops it, and leaves nothing running.
//
// Start with check.go, which has the order of things; ready.go has the health check's rules, request.go the questions, process.go the first process's duties. Linux only.
package service
