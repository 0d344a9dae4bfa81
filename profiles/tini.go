package profiles

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Tini is the init of Debian's package of that name: a small PID 1 that forwards signals and reaps orphans (https://github.com/krallin/tini). The base
// image's distribution maintains it, and scanners know it, which is why mlbuild brings none of its own.
const (
	tiniPackage = "tini"
	tiniPath    = "/usr/bin/tini"
)

// initPackage is tini for an image with an init that names no version of it.
func initPackage(init bool, named []string) []string {
	own := slices.ContainsFunc(named, func(p string) bool { return p == tiniPackage || strings.HasPrefix(p, tiniPackage+"=") })
	if !init || own {
		return nil
	}
	return []string{tiniPackage}
}

// initEntrypoint puts tini before what the image runs.
func initEntrypoint(report *yamldoc.Report, s appSpec, entrypoint, command []string) []string {
	if !s.init {
		return entrypoint
	}
	if len(entrypoint) == 0 && len(command) == 0 {
		report.Specf(s.initAt, "app.init starts the image's command, and there is none").Hint("for example command: [python, main.py]")
		return entrypoint
	}
	return append([]string{tiniPath, "--"}, entrypoint...)
}
