// Package report writes what is known of an image, and of the build that made it, as one HTML page: values come in, the page goes out. The page has no script and asks nobody for
// anything, so it can be kept, mailed and opened from a disk; the same values give the same bytes.
//
// Start with report.go, which has what goes in. view.go and its neighbours turn that into texts and numbers (built.go those of a build, treemap.go and timeline.go those of the
// pictures), hide.go takes secrets out of them, and page.html.tmpl lays them out.
package report
