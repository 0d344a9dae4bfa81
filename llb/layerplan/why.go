package layerplan

import (
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Why says why the layer is one of its own: what has to change for it to change.
func (l Layer) Why(b recipe.LayerBudget) string {
	switch {
	case l.Kind == "wheels" && l.Part.N > 1:
		return fmt.Sprintf("a wheel larger than %s, in parts that are made and pulled side by side", counts.Bytes(b.Split))
	case l.Kind == "wheels" && len(l.Wheels) == 1 && !l.binned() && l.Size == 0:
		return "a wheel of unknown size"
	case l.Kind == "wheels" && len(l.Wheels) == 1 && !l.binned():
		return fmt.Sprintf("a wheel of %s or more", counts.Bytes(b.OwnBytes))
	case l.binned():
		return "small ones share layers by their names: one of them changes, one layer changes"
	case l.Kind == "system" && strings.HasPrefix(l.Name, "configured by dpkg"):
		return "dpkg runs on the base: another base makes it anew"
	case l.Kind == "system" && len(l.Packages) == 1:
		return fmt.Sprintf("a system package of %s or more", counts.Bytes(OwnPackage))
	}
	return reasons[l.Kind]
}

// reasons are why the layers of a kind are layers of their own.
var reasons = map[string]string{
	"python":   "a Python over a base without one: changes with the image that it comes from",
	"system":   "depends on the base: another base makes it anew",
	"account":  "the user's entry beside the base's own",
	"skeleton": "directories and the empty environment",
	"copy":     "files of another image: changes with that image",
	"bytecode": "the bytecode of one layer, which changes with it",
	"bake":     "files that the project's own code made: changes with what it reads",
	"built":    "a package from source: changes with it and with how it is built",
	"build":    "built from source: changes with the source and the commands",
	"model":    "a model: changes with it alone",
	"run":      "what commands on the image changed: changes with what they run on",
	"builder":  "compilers, which no other stage has",
	"dev":      "what developers have beside the runtime",
	"tests":    "the tests: editing them leaves every other layer",
	"app":      "changes most, and therefore lies last",
}

// binned tells whether the layer is a bin.
func (l Layer) binned() bool { return strings.Contains(l.Name, " (bin ") }
