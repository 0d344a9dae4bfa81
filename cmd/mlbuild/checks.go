package main

import (
	"slices"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

const checksHelp = "`which` checks an image must pass: all, deps, none"

// parseChecks reads --checks, which not every command has: then everything is checked.
func parseChecks(which string) (builder.Checks, error) {
	c := builder.Checks(which)
	if which == "" || slices.Contains([]builder.Checks{builder.CheckAll, builder.CheckPackages, builder.CheckNothing}, c) {
		return c, nil
	}
	return "", fault.New(fault.Usage, "--checks is all, deps or none, and not %q", which)
}
