package llb

import (
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// elsewhere is what is made apart from the image.
type elsewhere struct {
	layers ops.Layers                    // of files outside of the environment
	steps  map[string]projectstep.Result // what build steps leave, by their names
}

// layersFromElsewhere returns the outputs of build steps, and the files of other images and of these steps.
func layersFromElsewhere(r *recipe.Recipe, in given, table ops.DirTable) (elsewhere, error) {
	layers, steps, err := buildSteps(r, in, table)
	if err != nil {
		return elsewhere{}, err
	}
	return elsewhere{layers.And(copyLayers(r, in, table, steps)...), steps}, nil
}

// copySource is an image or a build step with the files that are taken from it.
type copySource struct {
	image, step string
	outputs     []recipe.Output
}

// copySources lists where files come from, each once, for those that lie in the environment or for those that do not.
func copySources(list []recipe.CopyFrom, environment bool) (all []copySource) {
	for _, c := range list {
		if recipe.InEnvironment(c.To) != environment {
			continue
		}
		i := slices.IndexFunc(all, func(s copySource) bool { return s.image == c.Image && s.step == c.Step })
		if i < 0 {
			all, i = append(all, copySource{image: c.Image, step: c.Step}), len(all)
		}
		all[i].outputs = append(all[i].outputs, c.Output)
	}
	return all
}

// copyLayers returns the files of other images and of build steps, one layer for each of these. It is a function of the image's digest and of the rules.
func copyLayers(r *recipe.Recipe, in given, table ops.DirTable, steps map[string]projectstep.Result) (layers ops.Layers) {
	s := in.setting().Group(ops.GroupCopy)
	for _, from := range copySources(r.CopyFrom, false) {
		if from.step != "" {
			done := steps[from.step]
			l := layerplan.Layer{Kind: layerplan.KindCopy, Name: projectstep.OutputNames(from.outputs) + " from the " + done.Script.Who}
			layers = layers.And(ops.Layer{Layer: l, State: done.Collect(from.outputs, table, in.setting())})
			continue
		}
		ref := in.Images[from.image].Ref
		image := bkllb.Image(ref, bkllb.Platform(in.platform), s.Named("%s", ref))
		l := layerplan.Layer{Kind: layerplan.KindCopy, Name: projectstep.OutputNames(from.outputs) + " from " + from.image}
		layers = layers.And(ops.Layer{Layer: l, State: projectstep.Copied(image, from.outputs, table, s, "copy "+l.Name)})
	}
	return layers
}

// bringsLibraries reports whether files from elsewhere go to where the loader looks, or may: libraries by their names, patterns, whole trees, its settings, and directories that
// stand on LD_LIBRARY_PATH.
func bringsLibraries(r *recipe.Recipe, triplet string) bool {
	dirs := []string{"/usr/lib", "/usr/lib/" + triplet, "/usr/local/lib", "/usr/local/lib/" + triplet}
	return len(r.LibraryPath) > 0 || slices.ContainsFunc(r.Brought(), func(o recipe.Output) bool {
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
	return ops.Layers{install.LoaderCache(base, system.And(elsewhere...), in.setting(), r.LibraryPath...)}
}

// triplets are the names of architectures in the directories of Debian's libraries.
var triplets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
