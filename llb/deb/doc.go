// Package deb turns Debian packages (deb(5)) into the files of a layer: no dpkg, no base image, nothing is run. The result
// depends on the package's bytes, Options and Layout alone. Package script reads what the maintainer scripts would do,
// package state makes files of it.
package deb

// Layout is the version of the rules by which a package becomes files. It changes when the same package and options would
// give other files, so that a cache or a registry can tell the two apart.
const Layout = 1
