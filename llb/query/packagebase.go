package query

import (
	"slices"
	"strings"
)

// scriptTools are packages that only maintainer scripts use. A base of packages runs none, so apt is told that they are there; a project that wants one
// names it.
var scriptTools = []struct{ name, provides string }{
	{"adduser", ""}, {"debconf", "debconf-2.0"}, {"dpkg", ""}, {"init-system-helpers", ""}, {"install-info", ""}, {"lsb-base", ""}, {"mawk", "awk"},
	{"openssl", ""}, {"ucf", ""},
}

// packageBaseStatus is a status file of dpkg with the tools of scripts, less those that are asked for.
func packageBaseStatus(asked []string, architecture string) string {
	var b strings.Builder
	for _, p := range scriptTools {
		if slices.ContainsFunc(asked, func(a string) bool { return a == p.name || strings.HasPrefix(a, p.name+"=") }) {
			continue
		}
		b.WriteString("Package: " + p.name + "\nStatus: install ok installed\nArchitecture: " + architecture + "\nVersion: 9999\n")
		if p.provides != "" {
			b.WriteString("Provides: " + p.provides + "\n")
		}
		b.WriteString("Maintainer: mlbuild\nDescription: of maintainer scripts\n\n")
	}
	return b.String()
}
