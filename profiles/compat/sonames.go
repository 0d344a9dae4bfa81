package compat

import (
	_ "embed" // the table
	"slices"
	"strings"
)

// sonames has a line for each package of Debian: its name, the releases that have it, and the shared libraries that it brings, by the file names by which programs ask for them. The
// releases are "bookworm", "trixie", "both", or "t64": both, and trixie's is named with t64 at its end (the transition to 64 bits of time_t). It is made from Contents-amd64 of both;
// packages that few others depend on are left out, unless a wheel is known to need them.
//
//go:embed sonames.txt
var sonames string

// t64Suites are releases of Debian and Ubuntu beside trixie whose packages went through the transition.
var t64Suites = []string{"trixie", "forky", "sid", "noble", "oracular", "plucky", "questing", "resolute"}

// DebianOf returns the package of a Debian release, "bookworm", that brings a shared library, by its file name: "libGL.so.1" is in libgl1. It is false for one that is not known. Of
// another release than bookworm and trixie, what has the same name in both is returned.
func DebianOf(library, suite string) (pkg string, ok bool) {
	for name := library; ; {
		if pkg, ok := debianOf(name, suite); ok {
			return pkg, true
		}
		end := strings.LastIndexByte(name, '.') // libgomp.so.1.0.0 is libgomp.so.1
		if end < 0 || !strings.Contains(name[:end], ".so.") {
			return "", false
		}
		name = name[:end]
	}
}

func debianOf(library, suite string) (string, bool) {
	for line := range strings.Lines(sonames) {
		words := strings.Fields(line)
		if len(words) < 3 || !slices.Contains(words[2:], library) {
			continue
		}
		switch pkg, releases := words[0], words[1]; {
		case releases == "both", releases == suite:
			return pkg, true
		case releases == "t64" && slices.Contains(t64Suites, suite):
			return pkg + "t64", true
		case releases == "t64":
			return pkg, true
		}
	}
	return "", false
}
