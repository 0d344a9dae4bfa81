//go:build !race

package llb

const raceEnabled = false
