package main

import (
	"os"

	"github.com/mlbuild/mlbuild/llb/deb/ldcache"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// ldcache writes the loader's cache of the base with the layers over it.
func (c *command) ldcache() error {
	out, err := os.OpenRoot(c.out)
	if err != nil {
		return fault.New(fault.Internal, "open the output directory: %w", err)
	}
	defer out.Close()
	var roots []*os.Root
	for _, dir := range append([]string{c.base}, c.packages...) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fault.New(fault.Internal, "open %s: %w", dir, err)
		}
		defer root.Close()
		roots = append(roots, root)
	}
	return ldcache.Make(out, roots, c.options.Arch, c.dirs, wheel.ModTime)
}
