// Package frontend builds a project inside a daemon, as a frontend of BuildKit: the gateway of a build that another client has begun comes in, docker buildx for example, and
// what the client's exporters take goes out. The files of the project are read from the context that the client sends, its options from the frontend's (docs/frontend.md), and the
// image is compiled as mlbuild build compiles it.
//
// Build in frontend.go is where to begin. contextFS is the client's context as a file system; request.go reads the options; notes.go says what a frontend cannot do.
package frontend
