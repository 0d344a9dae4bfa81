// Package builder runs what llb compiles. It reads no environment and prints nothing.
//
// In goes a Request: the profiles' recipes, their locks, and where the images go. Out comes a Result: what was made, and where it is. Every profile is a build
// of its own (one client.Build), and all of them run at once. Of each platform it is looked up what the daemon knows of it (lookup.Found), its graph is compiled
// (platformBuild), how the image gets to its outputs is decided (publish.Plan), the daemon makes it (made), and it is published (publish.Published):
//
//	New(*daemon.Daemon) → Build(Request) → Result
//
// Lock, LockBuild and Plan end before anything is made.
//
// Start with build.go, then variant.go, which has these steps in order, and decide.go, where they are decided; ahead.go decides without the daemon. request.go is what can be asked for. The packages below have one door each: lookup asks
// the daemon what a graph is made from, publish brings an image to its outputs, registry asks a registry, trust says whose record of layers is believed, daemon finds the daemon.
package builder
