package install

import (
	"fmt"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// LoaderCache is the layer of the loader's cache of a base with layers over it: the base's own does not know their libraries, and a program that looks for one by its name would not
// find it. Only the helper runs, which needs no ldconfig of the base and no emulator. The key is the base's digest, as that of the accounts. dirs are directories that the loader is
// told of by a variable.
func LoaderCache(base bkllb.State, over ops.Layers, set ops.Setting, dirs ...string) ops.Layer {
	args := []string{"ldcache", "-out", "/out", "-arch", set.Platform.Architecture, "-base", "/base"}
	for _, dir := range dirs {
		args = append(args, "-dir", dir)
	}
	mounts := []bkllb.RunOption{bkllb.AddMount("/base", base, bkllb.Readonly, ops.ByKey)}
	for i, l := range over {
		at := fmt.Sprintf("/layers/%d", i)
		args = append(args, at)
		mounts = append(mounts, bkllb.AddMount(at, l.State, bkllb.Readonly, ops.ByKey))
	}
	const name = layerplan.LoaderCache
	step := ops.HelperStep(set.Helpers.Root(set.Helpers.Packages), set.Worker, set.Group(ops.GroupSystem), "write "+name, args, mounts...)
	return ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindSystem, Name: name}, State: step.AddMount("/out", bkllb.Scratch())}
}
