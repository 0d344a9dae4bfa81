// Package diagnose turns what a daemon says of a build that failed into faults with a place and a hint. An error and what the build's steps said come in; a fault.Fault
// comes out, or the error's own faults unchanged. Which step failed is known by the digest of its vertex, and what the step is for by what its graph says of it: no name
// that people read is searched.
//
// Start with explain.go. watcher.go keeps what the steps say; the other files know one program's words each: apt, uv, a wheel's build, registries, the servers of downloads.
package diagnose
