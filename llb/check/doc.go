// Package check is what the build says to the program mlbuild-check, which runs an image where it was built before anybody gets it: the values that the program takes as JSON,
// and those that it answers with. It compiles on every system. Packages loader, packages and service do the work.
package check
