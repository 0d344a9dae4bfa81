// Package recipe holds the values that the project file is decided into: what llb compiles and builder looks things up for. They are plain,
// print as JSON, and are final once profiles.Resolve returns them. The package imports nothing of mlbuild but faults.
//
// Start with recipe.go: Recipe names everything else.
package recipe
