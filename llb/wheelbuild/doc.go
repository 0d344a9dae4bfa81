// Package wheelbuild makes the layers of the packages that have to be built from source. The packages, what was looked up for their builds, the builder
// stage and the layers below come in; a layer for each package comes out. A build is a step of its own, so that another source or another way of building
// one package leaves the steps of the others as they are; a second step checks the wheel and unpacks it like every other.
//
// Start with layers.go. requires.go decides which locked packages a build sees, without BuildKit; build.go, environment.go and source.go are the step that
// builds, install.go is the step that checks and unpacks.
package wheelbuild
