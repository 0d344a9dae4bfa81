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

// All lists the table in its order.
func All() []Limit {
	return []Limit{
		{"Connect", Connect}, {"TLS", TLS}, {"Answer", Answer}, {"Document", Document}, {"Upload", Upload}, {"Look", Look}, {"Refusal", Refusal},
		{"Helper", Helper}, {"Git", Git}, {"Docker", Docker}, {"File", File}, {"Stop", Stop},
	}
}
