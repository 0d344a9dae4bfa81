package llb

import (
	"cmp"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/checkstep"
	"github.com/mlbuild/mlbuild/llb/checktask"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// merged is the image so far, to run something on. Merging has the daemon link every file of the layers into one tree, so the
// project's own files, which change most, are copied over that tree and not merged into it: an edit leaves it as it is.
func merged(r *recipe.Recipe, in given, layers ops.Layers) bkllb.State {
	inputs, project := baseStates(in), []bkllb.State(nil)
	for _, l := range withoutChecks(layers) {
		if l.FromContext() {
			project = append(project, l.State)
		} else {
			inputs = append(inputs, l.State)
		}
	}
	root := mergedStates(r, inputs)
	for _, files := range project {
		info := &bkllb.CopyInfo{CopyDirContentsOnly: true}
		root = root.File(bkllb.Copy(files, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), ops.Group{ID: ops.GroupMerged}.Named("the project's files"))
	}
	return root
}

// withoutChecks leaves out what only says that the image was checked: nothing waits for that but the image itself.
func withoutChecks(layers ops.Layers) ops.Layers {
	return slices.DeleteFunc(slices.Clone(layers), func(l ops.Layer) bool { return l.Kind == layerplan.KindCheck || l.Kind == layerplan.KindService })
}

// imageSoFar is the image so far with its layers in their order. Where the project's files are the last of them, they are copied over the rest.
func imageSoFar(r *recipe.Recipe, in given, layers ops.Layers) bkllb.State {
	layers = withoutChecks(layers)
	if app := slices.IndexFunc(layers, func(l ops.Layer) bool { return l.Kind == layerplan.KindApp }); app >= 0 && app < len(layers)-1 {
		return mergedStates(r, append(baseStates(in), layers.States()...))
	}
	return merged(r, in, layers)
}

func mergedStates(r *recipe.Recipe, states []bkllb.State) bkllb.State {
	return bkllb.Merge(states, ops.Group{ID: ops.GroupMerged}.Named("%s for %s", r.Profile, r.Platform))
}

// environment is the image's own variables, the home of who runs a command, and those of the command, sorted by name.
func environment(r *recipe.Recipe, in given, home string, command []recipe.Pair) []recipe.Pair {
	base := in.Base.Config.Config.Env
	ours := append([]recipe.Pair{{Name: "HOME", Value: home}}, withLibraries(in.Env, r.LibraryPath, base)...)
	var all []recipe.Pair
	for _, kv := range mergeEnv(base, append(ours, command...)) {
		name, value, _ := strings.Cut(kv, "=")
		all = append(all, recipe.Pair{Name: name, Value: value})
	}
	slices.SortFunc(all, func(a, b recipe.Pair) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// checkLayers returns the layer that says that the packages were checked, on the layers below. None of these has the project's own files: an edit checks nothing again.
func checkLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) (ops.Layers, error) {
	if in.Checks == NoChecks || len(in.Wheels) == 0 || in.Target == recipe.StageDev {
		return nil, nil
	}
	s := checkstep.Subject{Root: mergedStates(r, append(baseStates(in), below.States()...)), User: r.User, Table: table, GPU: in.GPU, Setting: in.setting()}
	s.Env = environment(r, in, r.User.Home, []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}})
	l, err := checkstep.Packages(s, checktask.Packages(r, in.Wheels, in.CUDA, in.Checks == CheckAll))
	return ops.Layers{l}, err
}

// serviceLayers returns the layer that says that the image's service was tried, on the whole image.
func serviceLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) (ops.Layers, error) {
	if in.Checks != CheckAll || r.Smoke == nil || in.Target != recipe.StageRuntime {
		return nil, nil
	}
	s := checkstep.Subject{Root: merged(r, in, below), After: below.OfKind(layerplan.KindCheck).States(), Env: environment(r, in, r.User.Home, r.Smoke.Env), User: r.User, Table: table, GPU: in.GPU, Setting: in.setting()}
	l, err := checkstep.Service(s, checktask.Service(r, image{recipe: r, in: in}.config(nil).Config), r.Smoke.Secrets)
	return ops.Layers{l}, err
}
