package lookup

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// whoAsks says of each package that is built who requires it; the project itself is required by nobody.
func whoAsks(r *recipe.Recipe, lock *pylock.Lock, wheels []pylock.Wheel) map[string]string {
	asked := map[string]string{}
	for _, w := range wheels {
		if own := r.Builder.Project; w.Source != nil && (own == nil || w.Name != own.Name) {
			asked[w.Name] = askedBy(r, lock.PathTo(w.Name), w)
		}
	}
	return asked
}

// askedBy says who requires a package, from the path that leads to it: "requirements.txt:3", "flash-attn (requirements.txt:2) → ninja".
func askedBy(r *recipe.Recipe, path []string, w pylock.Wheel) string {
	if len(path) < 2 {
		return cmp.Or(requirementOf(r, w), "the project")
	}
	first := path[0]
	if at := requirementOf(r, pylock.Wheel{Name: first}); at != "" {
		first += " (" + at + ")"
	}
	return strings.Join(append([]string{first}, path[1:len(path)-1]...), " → ")
}

// requirementOf says where the project asks for a package by its name or, if it lies in the project, its path; "" = nowhere that is known.
func requirementOf(r *recipe.Recipe, w pylock.Wheel) string {
	for _, a := range r.Requires.Wanted() {
		if a.Name != w.Name && (w.Source == nil || a.Path() == "" || a.Path() != w.Source.Path) {
			continue
		}
		switch p := r.Requires.Project; {
		case a.File == "":
			return "python.packages"
		case p == nil || a.File != p.File.Path:
			return fmt.Sprintf("%s:%d", a.File, a.Line)
		}
	}
	return ""
}
