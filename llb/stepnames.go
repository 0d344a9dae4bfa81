package llb

import "github.com/mlbuild/mlbuild/profiles/recipe"

// How the names of steps begin, for a diagnosis that goes by names; Graph.Steps says the same by the vertices' digests.
const (
	SourceStep = "[source] "                // steps that fetch and build packages
	WheelStep  = SourceStep + "wheel of "   // builds of packages
	CopyStep   = "[files of other images] " // copies of files of other images
)

// UnpackStep returns the name of the step that unpacks a model's archive.
func UnpackStep(model *recipe.Model) string { return "unpack the archive of " + model.Name }
