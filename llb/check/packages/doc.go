// Package packages checks that what is installed in an image works, inside the image: as part of the program mlbuild-check. In come a check.Packages and the image's environment,
// out comes a check.Report. Start at Check in check.go. Linux only.
package packages
