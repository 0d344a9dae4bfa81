package compat

// DebianRelease is what a base of kind debian gets from a release.
type DebianRelease struct {
	Python, Glibc string
	FullVersion   string // of its Python, which it keeps as long as it is supported
}

// DebianReleases are the releases that such a base can be made of, by their names. Each has one Python.
var DebianReleases = map[string]DebianRelease{
	"bookworm": {"3.11", "2.36", "3.11.2"},
	"trixie":   {"3.13", "2.41", "3.13.5"},
}

// DefaultSuite is the Debian release of a base that names none.
const DefaultSuite = "bookworm"
