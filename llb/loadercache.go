package llb

import (
	"fmt"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// loaderCache is the layer of the loader's cache of a base with layers over it: the base's own does not know their libraries, and a program that looks for one by its name would not
// find it. Only the helper runs, which needs no ldconfig of the base and no emulator. The key is the base's digest, as that of the accounts. dirs are directories that the loader is
// told of by a variable.
func loaderCache(in given, base bkllb.State, over ops.Layers, dirs ...string) ops.Layer {
	args := []string{"ldcache", "-out", "/out", "-arch", in.platform.Architecture, "-base", "/base"}
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
	step := ops.HelperStep(ops.HelperRoot(in.Helpers.Packages), in.Worker, ops.Group{ID: ops.GroupSystem, NoCache: in.NoCache}, "write "+name, args, mounts...)
	return ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindSystem, Name: name}, State: step.AddMount("/out", bkllb.Scratch())}
}

// bringsLibraries reports whether files from elsewhere go to where the loader looks, or may: libraries by their names, patterns, whole trees, its settings, and directories that
// stand on LD_LIBRARY_PATH.
func bringsLibraries(r *recipe.Recipe, triplet string) bool {
	var outputs []recipe.Output
	for _, c := range r.CopyFrom {
		outputs = append(outputs, c.Output)
	}
	for _, b := range r.Build {
		outputs = append(outputs, b.Outputs...)
	}
	dirs := []string{"/usr/lib", "/usr/lib/" + triplet, "/usr/local/lib", "/usr/local/lib/" + triplet}
	return len(r.LibraryPath) > 0 || slices.ContainsFunc(outputs, func(o recipe.Output) bool {
		target := strings.TrimSuffix(path.Clean(o.Target()), "/")
		named := recipe.IsGlob(o.From) || strings.Contains(path.Base(target), ".so")
		return named && slices.Contains(dirs, o.Parent()) || strings.HasPrefix(target+"/", "/etc/ld.so.conf.d/") ||
			slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(dir+"/", target+"/") })
	})
}

// elsewhereCache is the loader's cache with the libraries of files from elsewhere, nothing where they bring none. base and system are what lies below them.
func elsewhereCache(r *recipe.Recipe, in given, base bkllb.State, system, elsewhere ops.Layers) ops.Layers {
	if !bringsLibraries(r, triplets[in.platform.Architecture]) {
		return nil
	}
	return ops.Layers{loaderCache(in, base, system.And(elsewhere...), r.LibraryPath...)}
}

// triplets are the names of architectures in the directories of Debian's libraries.
var triplets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
