// Package llb is mlbuild's own: it compiles a Recipe and what was looked up for it into a BuildKit graph. Compile is
// pure: no network, clock, environment or randomness, so equal inputs give equal bytes. BuildKit's package of the same name is
// always imported as bkllb, and only here and in the packages below.
//
//	Compile(Recipe, Inputs) → *Graph{Definition, Config, Plan, Steps}
//
// Start with compile.go, then anatomy.go, which puts an image together from the bottom up; each stage and each input of the image has a file. The
// packages below: layerplan decides what goes into which layer, ops makes the vertices that several stages need, query compiles the graphs whose
// result is read back before the wheels are known. install, wheelbuild, models and projectstep make the layers of packages, of packages that are built from
// source, of models and of the project's own commands; scripts holds what runs inside steps.
package llb
