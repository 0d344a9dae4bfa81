// Package evidence says how the checks of an image ended in the forms that other programs read: checks and faults come in, the bytes of a JUnit report, an in-toto statement and a report
// of GitLab's code quality go out. Start at Check in check.go.
package evidence
