// Package query compiles the graphs whose result is read back before the image is compiled: what uv resolves, what apt would install, what lies in a
// base and in wheels. Each graph stands beside the parser of its answer.
//
// Start with resolution.go, the step that asks uv.
package query
