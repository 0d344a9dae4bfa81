// Package outline lists the steps of a graph as a person sees them: what each does, in which part of the build, and whether it may reach the network. An
// encoded definition comes in, steps come out.
//
// There is one file: steps.go.
package outline
