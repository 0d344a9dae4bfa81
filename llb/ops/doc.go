// Package ops makes the vertices that more than one stage needs: names and groups, networks and proxies, mounts of uv and apt, the helper programs,
// directories with their owners, the base. Values that were looked up and package recipe's come in, states and options come out.
//
// Start with group.go, how a vertex is named; inputs.go has the values.
package ops
