// Package checktask says what the program mlbuild-check is told: a recipe and the config of its image come in, a value of package check comes out. Nothing is read and nothing is run.
//
// Start with service.go. image.go is for an image of which only its config is known.
package checktask
