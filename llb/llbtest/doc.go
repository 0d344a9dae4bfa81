// Package llbtest has what tests of graphs share: a recipe with every stage, and a definition decoded into the vertices that a daemon sees.
package llbtest
