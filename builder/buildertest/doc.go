// Package buildertest has what the tests of the builder's packages share: a daemon's gateway that answers what a test says, recipes from a few lines of YAML, and lock files.
// Only tests import it.
//
// Start with gateway.go.
package buildertest
