package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// systemLayer is what installing changed, as one layer over nothing.
func systemLayer(base, installed bkllb.State, s ops.Group) bkllb.State {
	s.NoCache = nil
	return bkllb.Diff(base, installed, s.Named("files of the system packages"))
}
