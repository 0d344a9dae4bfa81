package ops

import (
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Setting is where the steps of one image's graph run, and what they are given there. Nothing of it but Platform and the helpers' digests is in the key of a
// layer.
type Setting struct {
	Platform ocispecs.Platform // the image's own
	Worker   ocispecs.Platform // the daemon's own: helper steps run on it, without an emulator
	Helpers  Helpers
	Session  Session
	Network  Network
	NoCache  NoCache // their steps run again
}

// Group returns a progress group whose steps run again where the setting wants it.
func (s Setting) Group(id GroupID) Group { return Group{ID: id, NoCache: s.NoCache} }
