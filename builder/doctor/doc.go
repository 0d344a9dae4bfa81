// Package doctor says whether a build would work here, and what mends what is wrong: probes come in, a Check for each thing that was looked at goes out. It changes nothing,
// starts no daemon, and leaves nothing in a registry.
//
//	Run(ctx, []Probe) → []Check
//
// Start with doctor.go; the other files make probes: of a daemon, of registries, of this machine. What they ask comes in as functions, so that tests can answer.
package doctor
