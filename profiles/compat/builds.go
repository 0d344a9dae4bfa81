package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// builds refuses two packages with the modules of one framework: which of them Python would import is decided by the order of their layers. It says who wants
// which.
func (c *wheelCheck) builds() {
	for i := range c.table {
		f := &c.table[i]
		var sides []string
		allowed := false
		names := f.sameModules()
		for _, w := range c.wheels {
			if slices.Contains(names, w.Name) {
				sides = append(sides, w.Name+" "+w.Version+c.wantedBy(w.Name))
				allowed = allowed || slices.Contains(c.recipe.Requires.Allow, w.Name)
			}
		}
		if len(sides) > 1 && !allowed {
			c.faults = append(c.faults, c.buildsFault(f, sides))
		}
	}
}

func (c *wheelCheck) buildsFault(f *Framework, sides []string) *fault.Fault {
	found := fault.New(fault.Variant, "the profile %s would have %d builds of %s, whose files lie in each other's places: %s", c.recipe.Profile, len(sides), f.Name, strings.Join(sides, "; "))
	if to := f.PackageFor(f.Name, "", c.recipe.Accelerator, c.recipe.Platform); slices.Contains(f.names(), f.Name) && len(f.Names.All) > 0 {
		found.Hint("have one of them required alone; the profile takes %s", to)
	} else {
		found.Hint("have one of them required alone")
	}
	return found.Hint("a lock that another tool or an older mlbuild made is made anew by its tool, or by: mlbuild lock --profile %s", c.recipe.Profile).
		Hint("to have them all the same: python: {allow: [%s]}", strings.Fields(sides[0])[0])
}

// wantedBy says who requires a package, "" if nobody does but the project.
func (c *wheelCheck) wantedBy(name string) string {
	chain := c.path(name)
	if len(chain) < 2 {
		return ", which the project asks for"
	}
	return fmt.Sprintf(", which %s wants", strings.Join(chain[:len(chain)-1], " → "))
}
