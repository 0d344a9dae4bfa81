// Package models makes the layers of models: files from a URL, a git repository, a hub, a bucket, a drive or the project, at their places in the image. The
// models of a recipe and what was looked up for them come in, layers come out; so do the graphs by which package builder asks what a source has, before
// the image's graph is compiled.
//
// Start with layers.go, which decides what goes into which layer; source.go has the interface of a kind of source, and each kind has a file. program.go is
// for what the daemon cannot fetch by itself.
package models
