package layerplan

import (
	"fmt"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Why returns in words why the layer is one of its own: what has to change for it to change.
func (l Layer) Why(b recipe.LayerBudget) string {
	switch {
	case l.Kind == KindWheels && l.Part.N > 1:
		return fmt.Sprintf("a wheel larger than %s, in parts that are made and pulled side by side", counts.Bytes(b.Split))
	case l.Kind == KindWheels && len(l.Wheels) == 1 && l.Bin == 0 && l.Size == 0:
		return "a wheel of unknown size"
	case l.Kind == KindWheels && len(l.Wheels) == 1 && l.Bin == 0:
		return fmt.Sprintf("a wheel of %s or more", counts.Bytes(b.OwnBytes))
	case l.Bin > 0:
		return "small ones share layers by their names: one of them changes, one layer changes"
	case l.Kind == KindSystem && l.Handling == buildlock.Dpkg:
		return "dpkg runs on the base: another base makes it anew"
	case l.Kind == KindSystem && len(l.Packages) == 1:
		return fmt.Sprintf("a system package of %s or more", counts.Bytes(OwnPackage))
	case l.Kind == KindSystem && l.Name == LoaderCache:
		return "the libraries by their names: changes with the base and the layers that hold libraries"
	}
	return reasons[l.Kind]
}

// reasons are why the layers of a kind are layers of their own.
var reasons = map[Kind]string{
	KindPython:   "a Python over a base without one: changes with the image that it comes from",
	KindSystem:   "depends on the base: another base makes it anew",
	KindAccount:  "the user's entry beside the base's own",
	KindSkeleton: "directories and the empty environment",
	KindReplaced: "older packages of the base, taken away: changes with the base",
	KindCopy:     "files of another image: changes with that image",
	KindBytecode: "the bytecode of one layer, which changes with it",
	KindBake:     "files that the project's own code made: changes with what it reads",
	KindBuilt:    "a package from source: changes with it and with how it is built",
	KindBuild:    "built from source: changes with the source and the commands",
	KindModel:    "a model: changes with it alone",
	KindRun:      "what commands on the image changed: changes with what they run on",
	KindBuilder:  "compilers, which no other stage has",
	KindDev:      "what developers have beside the runtime",
	KindTests:    "the tests: editing them leaves every other layer",
	KindApp:      "changes most often, so it comes last",
}
