// Package dockerfile reads Dockerfiles, with BuildKit's own parser: the bytes of one come in, its stages come out, each step with its line, what it says with variables in
// place of build arguments, and the commands of a RUN word by word. Nothing is run, and no file is opened. What a step means for an image is package convert's.
//
//	Read(name, data) → *File
//
// Start with file.go, the values; read.go makes them, expand.go puts in variables, shell.go takes the scripts of RUN apart.
//
// It is the one package below profiles that imports BuildKit, of which it takes the parser alone.
package dockerfile
