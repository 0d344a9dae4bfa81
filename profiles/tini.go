package profiles

import (
	"slices"
	"strings"
)

// Tini is the init of Debian's package of that name: a small PID 1 that forwards signals and reaps orphans (https://github.com/krallin/tini). The base
// image's distribution maintains it, and scanners know it, which is why mlbuild brings none of its own.
const (
	tiniPackage = "tini"
	tiniPath    = "/usr/bin/tini"
)

// initPackage is tini for an image with an init that names no version of it.
func (r *resolver) initPackage(named []string) []string {
	own := slices.ContainsFunc(named, func(p string) bool { return p == tiniPackage || strings.HasPrefix(p, tiniPackage+"=") })
	if !r.spec.app.init || own {
		return nil
	}
	return []string{tiniPackage}
}

// initEntrypoint puts tini before what the image runs.
func (r *resolver) initEntrypoint() {
	a := &r.recipe.App
	if !r.spec.app.init {
		return
	}
	if len(a.Entrypoint) == 0 && len(a.Command) == 0 {
		r.Specf(r.spec.app.initAt, "app.init starts the image's command, and there is none").Hint("For example command: [python, main.py].")
		return
	}
	a.Entrypoint = append([]string{tiniPath, "--"}, a.Entrypoint...)
}
