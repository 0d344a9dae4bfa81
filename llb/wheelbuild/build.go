package wheelbuild

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// build is the step that makes the wheel, in a directory of its own. locked are the layers of the locked packages that it sees, names their names.
func (b builds) build(w pylock.Wheel, how recipe.PackageBuild, locked []bkllb.State, names []string) (bkllb.State, error) {
	s, r := b.set.Group(ops.GroupSource), b.image.Recipe
	source := sourceOf(w, r, b.set.Session, b.in.Hosts, s)
	inBase, dirs := b.shown(how)
	script, err := buildScript(w, how, seen{names, inBase, dirs}, r, s)
	if err != nil {
		return bkllb.State{}, err
	}
	opts := []bkllb.RunOption{
		buildCommand(b.image.Interpreter, r.Requires.Indexes), bkllb.Dir("/"), bkllb.Platform(b.set.Platform), s.Step(ops.StepBuildWheel, w.Name, "%s", stepName(w, b.in.Asked)),
		bkllb.AddMount(ops.ScriptDir, script, bkllb.Readonly),
		bkllb.AddMount("/mlbuild/source", source.state, append(source.opts, bkllb.Readonly)...),
		bkllb.AddMount("/mlbuild/uv", b.uv, bkllb.Readonly, ops.ByKey),
		bkllb.AddMount(CacheDir, bkllb.Scratch(), bkllb.AsPersistentCacheDir("mlbuild/build/"+b.image.Base.CacheName()+"/"+b.set.Platform.Architecture, bkllb.CacheMountShared)),
	}
	if len(locked) > 0 {
		merged := bkllb.Merge(slices.Concat(b.image.Below.OfKind(layerplan.KindSkeleton).States(), locked), s.Named("locked packages for the build of %s", w.Name))
		opts = append(opts, bkllb.AddMount(wheel.Venv, merged, bkllb.SourcePath(wheel.Venv), bkllb.Readonly, ops.ByKey))
	}
	if len(inBase) > 0 {
		opts = append(opts, bkllb.AddMount(baseMount, b.image.WithPython, bkllb.Readonly, ops.ByKey))
	}
	opts = append(opts, toolkit(how, b.in, b.set.Platform)...)
	opts = append(opts, ops.UVOptions(b.set.Platform)...)
	opts = append(opts, b.set.Network.Options(ops.ToolsCA)...)
	opts = append(opts, ops.IndexSecrets(r.Requires.Indexes)...)
	env := environment(w, how, b.image, b.in)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		opts = append(opts, bkllb.AddEnv(name, env[name]))
	}
	return b.image.Root.Run(opts...).AddMount("/out", bkllb.Scratch()), nil
}

// stepName says what is built, and for whom.
func stepName(w pylock.Wheel, asked map[string]string) string {
	name := "wheel of " + w.Label()
	if who := asked[w.Name]; who != "" {
		name += ", required by " + who
	}
	return name
}

func buildCommand(interpreter string, indexes []recipe.Index) bkllb.RunOption {
	args := []string{interpreter, ops.ScriptDir + "/run.py"}
	if len(ops.IndexSecrets(indexes)) == 0 {
		return bkllb.Args(args)
	}
	return bkllb.Args(append([]string{"/bin/sh", "-euc", ops.IndexScript + `exec "$@"`, "sh"}, args...))
}

// baseMount is where a build without isolation sees the base once more: locked packages lie over its own environment.
const baseMount = "/mlbuild/base"

// seen are the packages that a build without isolation sees.
type seen struct {
	locked, inBase []string // names
	dirs           []string // directories of the base's
}

// shown returns the packages of the base that a build sees, and their directories.
func (b builds) shown(how recipe.PackageBuild) (names, dirs []string) {
	if !how.Shared {
		return nil, nil
	}
	for _, p := range b.inBase() {
		names = append(names, p.Name)
	}
	for _, dir := range b.in.BaseDirs {
		dirs = append(dirs, baseMount+dir)
	}
	return names, dirs
}

// buildScript holds the script of the build step, what it is told, the project's indexes and constraints.
func buildScript(w pylock.Wheel, how recipe.PackageBuild, sees seen, r *recipe.Recipe, s ops.Group) (bkllb.State, error) {
	job := struct {
		Archive     string   `json:"archive"` // file name, "" = a tree
		Subdir      string   `json:"subdir"`
		Shared      bool     `json:"shared"`
		Requires    []string `json:"requires"`
		Locked      []string `json:"locked"` // directories with locked packages
		Has         []string `json:"has"`    // these packages
		Constraints []string `json:"constraints"`
	}{Subdir: w.Source.Subdir, Shared: how.Shared, Requires: noNil(how.Requires), Locked: []string{}, Has: append(noNil(sees.locked), sees.inBase...), Constraints: []string{}}
	if w.Source.Type == pylock.Archive {
		job.Archive = w.Source.Name
	}
	if len(sees.locked) > 0 {
		job.Locked = []string{wheel.Venv + "/lib/python" + r.Python.Version + "/site-packages"}
	}
	job.Locked = append(job.Locked, sees.dirs...)
	var files []recipe.File
	for _, f := range r.Builder.Constraints { // under their own paths: they may name each other
		f.Path = "constraints/" + f.Path
		files = append(files, f)
		if f.Top {
			job.Constraints = append(job.Constraints, f.Path)
		}
	}
	if config := indexConfig(r.Requires); config != "" {
		files = append(files, recipe.File{Path: "uv.toml", Data: config})
	}
	return ops.Script(scripts.BuildWheel, "build.json", job, files, s.Named("how to build %s", w.Name))
}

func noNil(list []string) []string { return append([]string{}, list...) }

// indexConfig is uv's configuration with the indexes that any package may come from.
func indexConfig(q recipe.Requirements) string {
	var b strings.Builder
	for _, ix := range q.Indexes {
		if bound := len(ix.Packages) > 0 || ix.Name == q.Torch; bound && !ix.Default {
			continue
		}
		fmt.Fprintf(&b, "[[index]]\nname = %q\nurl = %q\ndefault = %t\n", ix.Name, ix.URL, ix.Default)
	}
	return b.String()
}
