// Package install unpacks packages into layers: wheels and Debian packages that are there as files, and what has to be configured by dpkg or installed by
// apt. Packages with their hashes, the recipe and the setting of the graph come in, layers come out that are functions of the packages' bytes as far as
// their scripts allow it.
//
// Start with wheels.go; debs.go is the same for Debian packages, of which some need more than their files. Which package goes into which layer, package
// layerplan has decided.
package install
