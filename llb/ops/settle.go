package ops

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/wheel"
)

// Settled copies a finished tree once onto nothing with one time for all of it. Without it a directory keeps the moment at which
// something was put into it.
func Settled(tree bkllb.State, s Group) bkllb.State {
	info := &bkllb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}
	return bkllb.Scratch().File(bkllb.Copy(tree, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.Named("settle times"))
}
