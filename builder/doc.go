// Package builder runs what llb compiles: it looks up bases and locks through a daemon's gateway, compiles, solves and
// exports, one client.Build per profile and all of them at once. It reads no environment and prints nothing.
//
//	New(*daemon.Daemon) → Build(Request) → Result
package builder
