package main

import "github.com/mlbuild/mlbuild/profiles/fault"

// The values of --checks.
const (
	checksAll  = "all"
	checksNone = "none"
)

const checksHelp = "`which` checks an image must pass: all, none"

// parseChecks reads --checks, which not every command has: then everything is checked. unchecked says that nothing is.
func parseChecks(which string) (unchecked bool, err error) {
	switch which {
	case checksAll, "":
		return false, nil
	case checksNone:
		return true, nil
	}
	return false, fault.New(fault.Usage, "--checks is all or none, and not %q", which)
}
