// Package inventory says what an image has of a project's files, and what stays behind: a file system and selections of its files come in, sizes and reasons go out. What lies in directories that
// stay behind is counted only as far as a bound, so that a directory of data holds up nobody.
//
// Begin at inventory.go; size.go adds up what stays behind, why.go says which line of .dockerignore it was and what nobody misses.
package inventory
