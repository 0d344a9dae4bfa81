package requirements

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Requirement is a package that the project asks for by name.
type Requirement struct {
	pypi.Requirement
	Pin string         // the version of == where its marker may hold, "" = none
	At  fault.Position // where it is written

	tail string // what follows the name and its extras, as an override repeats it
}

// text is the requirement as the resolver reads it.
func (q Requirement) text() string {
	if strings.HasPrefix(q.tail, "@") {
		return q.Name + q.ExtrasText() + " " + q.tail
	}
	return q.Name + q.ExtrasText() + q.tail
}

// allowed normalizes the names of packages. An entry with a slash names a file of one, as "package/file.pth", and stays: its name is a path.
func allowed(entries []yamldoc.String) []string {
	names, files := []yamldoc.String{}, []string{}
	for _, e := range entries {
		if pkg, file, ok := strings.Cut(e.Value, "/"); ok {
			files = append(files, pypi.Normalize(pkg)+"/"+file)
		} else {
			names = append(names, e)
		}
	}
	return recipe.SortedUnique(append(normalizedNames(names), files...))
}

// namesInOrder are the normalized names, each once, in the order of the list.
func namesInOrder(list []yamldoc.String) []string {
	var names []string
	for _, s := range list {
		if name := pypi.Normalize(s.Value); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func normalizedNames(list []yamldoc.String) []string {
	var names []string
	for _, s := range list {
		names = append(names, pypi.Normalize(s.Value))
	}
	return recipe.SortedUnique(names)
}

// AsksFor reports whether one of the packages names (normalized) is asked for.
func AsksFor(direct []Requirement, names ...string) bool {
	return slices.ContainsFunc(direct, func(q Requirement) bool { return slices.Contains(names, q.Name) })
}
