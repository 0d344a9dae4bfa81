// Package limits holds how long mlbuild waits for what is not its own: registries, token services, credential helpers, git, docker, files that may be pipes. A wait comes
// in, its answer or a *TimedOutError that names what was waited for goes out. docs/waits.md is the same table for users; a test compares the two.
//
// Start with this file, the table; wait.go waits, file.go reads files.
package limits

import "time"

// The limits. A wait ends earlier when the run is stopped.
const (
	// Connect is for one connection to a registry or a token service.
	Connect = 10 * time.Second
	// TLS is for the handshake with a registry or a token service.
	TLS = 10 * time.Second
	// Answer is from a request to a registry to the first bytes of the answer.
	Answer = 30 * time.Second
	// Document is for a whole request for a manifest, a config or a token.
	Document = time.Minute
	// Upload is for one layer that the client itself sends to a registry.
	Upload = 5 * time.Minute
	// Look is for what the client asks a registry only to save work: without an answer everything is built.
	Look = 10 * time.Second
	// Refusal is for what the client asks a registry that refused a push of the daemon's: why it did.
	Refusal = 10 * time.Second
	// Helper is for a docker credential helper.
	Helper = 30 * time.Second
	// Git is for what git says of the project's directory.
	Git = 20 * time.Second
	// Docker is for dockerd's version, before an image is loaded.
	Docker = 10 * time.Second
	// Stall is without any news of a build in which nothing but downloads of the daemon runs, beside the time that their sizes give them.
	Stall = 10 * time.Minute
	// File is for a file on the command line that is a pipe: a secret, a CA bundle, settings.
	File = time.Minute
	// Stop is from the signal that stops a run to the program's end.
	Stop = 800 * time.Millisecond
)

// Limit is a row of the table.
type Limit struct {
	Name string // of the constant
	For  time.Duration
}

// slowest is the rate of a download, in bytes per second, that is waited for to its end; of a file of unknown size two hours' worth is.
const slowest = 128 << 10

// Download returns how long the daemon's downloads of files of these sizes, in bytes, 0 = unknown, may be silent.
func Download(sizes []int64) time.Duration {
	wait := Stall
	for _, size := range sizes {
		if size <= 0 {
			size = 2 * 3600 * slowest
		}
		wait += time.Duration(size/slowest) * time.Second
	}
	return wait
}

// All lists the table in its order.
func All() []Limit {
	return []Limit{
		{"Connect", Connect}, {"TLS", TLS}, {"Answer", Answer}, {"Document", Document}, {"Upload", Upload}, {"Look", Look}, {"Refusal", Refusal},
		{"Helper", Helper}, {"Git", Git}, {"Docker", Docker}, {"Stall", Stall}, {"File", File}, {"Stop", Stop},
	}
}
