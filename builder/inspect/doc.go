// Package inspect says what an image in a registry or in an archive holds and what it costs, whoever built it: a reference or a path comes in, a value with layers, packages and waste goes out. Nothing is
// written anywhere, and no daemon is asked.
//
// Start with read.go, which reads manifest and config; archive.go finds them in files and directories, scan.go reads the layers, tree.go lays them over each other, packages.go finds whose the files are, compare.go holds two images
// against each other.
package inspect
