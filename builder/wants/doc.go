// Package wants says of the Python packages of images who wants them: recipes and locks come in, an Image for each profile, stage and platform goes out, with a graph
// that knows the paths from the project's lines down to a package.
//
//	Locked(recipes, stage locks) → []Image → Complete(ctx, lookup.UV, images)
//
// Locks alone tell names; Complete has a daemon read the requirements of the wheels.
package wants
