package install

import (
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Apt has apt install packages on a state of the base, which is made from image, and returns that state with them, and what this changed as a layer.
func Apt(base bkllb.State, image ops.Base, packages []string, apt recipe.Apt, kind layerplan.Kind, group ops.GroupID, set ops.Setting) (installed bkllb.State, layer ops.Layer) {
	installed = ops.AptInstalled(base, packages, apt, image, set.Network, set.Platform, set.Group(group))
	changed := bkllb.Diff(base, installed, ops.Group{ID: group}.Named("files of the system packages"))
	return installed, ops.Layer{Layer: layerplan.Layer{Kind: kind, Name: strings.Join(packages, " ")}, State: changed}
}
