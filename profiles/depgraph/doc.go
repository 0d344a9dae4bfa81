// Package depgraph says who wants a package: a recipe, its lock and, where somebody read them, the requirements of the wheels come in, paths from a line of the
// project down to a package go out. It opens no file and no connection.
//
//	New(Sources) → *Graph → Paths(name), Limits(name)
//	NewSystem(list, paragraphs of control files, places) → *Graph, of Debian packages
//
// What a lock says of its packages are names alone. The text of a requirement, its marker and the extra that it belongs to come from the wheels' metadata.
package depgraph
