// Package localfs is the project's directory as a BuildKit session offers it to a daemon: only files that a graph names, each told by its contents.
//
// A daemon keeps what it was sent and asks for the files alone whose size or time of change differ (tonistiigi/fsutil, sameFile). Times lie: git, tar, rsync, Bazel
// and Nix set them, two checkouts have the same ones, an edit within one tick of the clock changes none. So the time that a file is sent with is made of what it
// holds (fingerprint.go): the daemon's comparison is then one of contents, and an edit still moves no other file. Every copy in a graph sets times of its own, so none of these
// reaches an image.
//
// In go the directory, the client's state (an id of its own, and the sums of large files) and Selections; out comes a service of
// the session (filesync). Start with dir.go; transfer.go sends a selection, walk.go lists and reads files, selection.go says which, contents.go tells selections apart by what they hold, sums.go remembers the sums of large files.
package localfs
