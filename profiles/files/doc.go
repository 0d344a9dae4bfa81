// Package files finds the project's files and decides where in the image they lie: a file system and what a project file says of its files in,
// contents, copy rules and faults out. It reads; nothing is changed or copied here.
//
//	Tree{Report, FS} → SmallFile, Follow, …
//	Copied(Tree, Placement, []CopySpec, ReadIgnores(…)) → Copies
//
// Start with tree.go, how a path is followed and read without leaving the project, then copied.go, how rules become files; ignore.go has what
// .dockerignore and the names of secret files leave out, paths.go the patterns, places.go the paths in an image that may be written to.
package files
