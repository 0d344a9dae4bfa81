package recipe

import (
	"path"
	"slices"
	"strings"
)

// Environment is the directory of the image's virtual environment.
const Environment = "/opt/venv"

// SitePackages is the directory of the environment's modules for a Python ("3.11").
func SitePackages(python string) string {
	return Environment + "/lib/python" + python + "/site-packages"
}

// SitePackagesVariable is the name that stands for SitePackages in paths and variables of a project file.
const SitePackagesVariable = "SITE_PACKAGES"

// InEnvironment reports whether a destination lies in the environment. What comes there lies over the packages.
func InEnvironment(to string) bool { return strings.HasPrefix(path.Clean(to)+"/", Environment+"/") }

// BesidePackages are the outputs that lie outside of the environment.
func BesidePackages(outputs []Output) []Output { return outputsWhere(outputs, false) }

// OverPackages are the outputs that lie in the environment.
func OverPackages(outputs []Output) []Output { return outputsWhere(outputs, true) }

func outputsWhere(outputs []Output, inside bool) []Output {
	var some []Output
	for _, o := range outputs {
		if InEnvironment(o.To) == inside {
			some = append(some, o)
		}
	}
	return some
}

// IntoEnvironment reports whether files of the project or of other images come into the environment.
func (r *Recipe) IntoEnvironment() bool {
	return slices.ContainsFunc(r.App.Copy, func(c CopyRule) bool { return InEnvironment(c.To) }) ||
		slices.ContainsFunc(r.CopyFrom, func(c CopyFrom) bool { return InEnvironment(c.To) })
}
