// Package llb is mlbuild's own: it compiles a Recipe and what was looked up for it into a BuildKit graph. Compile is
// pure: no network, clock, environment or randomness, so equal inputs give equal bytes. BuildKit's package of the same name is
// always imported as bkllb, and only here.
//
//	Compile(Recipe, Inputs) → *Graph{Definition, Config, Plan}
//
// One file holds one stage or one input of the image: base.go, system.go, account.go, skeleton.go, wheels.go, app.go.
// resolution.go compiles the step that asks uv, before the wheels are known.
package llb
