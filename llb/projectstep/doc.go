// Package projectstep runs a project's own commands in the graph, by way of the program mlbuild-step, and makes layers of files that they leave. A script and
// the root that it runs on come in; that root with what the commands made, and layers of chosen files, come out.
//
// Start with script.go; outputs.go has the files, of a script or of another image.
package projectstep
