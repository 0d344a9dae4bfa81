package compat

// DebianOf returns the Debian package that has a shared library.
func DebianOf(library, suite string) (pkg string, ok bool) { return "", false }
