package llb

import (
	"fmt"
	"strconv"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// accountLayer adds the image's user to the base's user database. The helper reads /etc of the base and writes two files, so the layer
// depends on those files alone: another base with the same accounts gives the same layer. The step's cache key is the base's digest and not the
// contents of its /etc, because reading them would pull the base on a daemon that has the layer from a cache.
func accountLayer(root, base bkllb.State, u recipe.User, in Inputs) bkllb.State {
	s := ops.Group{ID: ops.GroupAccount, NoCache: in.NoCache}
	args := []string{"account", "-etc", "/base", "-out", "/out", "-name", u.Name,
		"-uid", strconv.Itoa(u.UID), "-gid", strconv.Itoa(u.GID), "-home", u.Home}
	step := ops.HelperStep(root, in.Worker, s, fmt.Sprintf("add user %s (%d:%d)", u.Name, u.UID, u.GID), args,
		bkllb.AddMount("/base", base, bkllb.SourcePath("/etc"), bkllb.Readonly,
			bkllb.ContentCache(bkllb.MountContentCacheOff)))
	return step.AddMount("/out", bkllb.Scratch())
}
