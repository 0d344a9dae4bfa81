package builder

import "github.com/mlbuild/mlbuild/llb"

// Checks says which checks an image has to pass before it is published.
type Checks string

// The choices.
const (
	CheckAll      Checks = "all"  // what is installed works, the project's own files find it, and its service answers
	CheckPackages Checks = "deps" // what is installed works
	CheckNothing  Checks = "none"
)

// graph returns the checks that are part of the graph. The zero value is all.
func (c Checks) graph() llb.Checks {
	switch c {
	case CheckNothing:
		return llb.NoChecks
	case CheckPackages:
		return llb.CheckPackages
	}
	return llb.CheckAll
}
