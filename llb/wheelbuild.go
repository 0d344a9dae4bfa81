package llb

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
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// build is the step that makes the wheel, in a directory of its own.
func (b *wheelBuilder) build(w pylock.Wheel, how recipe.PackageBuild, locked []bkllb.State, names []string) (bkllb.State, error) {
	s := sourceGroup(b.in)
	source := b.source(w, s)
	script, err := b.buildScript(w, how, names, s)
	if err != nil {
		return bkllb.State{}, err
	}
	opts := []bkllb.RunOption{
		b.buildCommand(), bkllb.Dir("/"), bkllb.Platform(b.in.platform), s.Step(ops.StepBuildWheel, w.Name, "%s", b.buildName(w)),
		bkllb.AddMount(ops.ScriptDir, script, bkllb.Readonly),
		bkllb.AddMount("/mlbuild/source", source.state, append(source.mount, bkllb.Readonly)...),
		bkllb.AddMount("/mlbuild/uv", b.uv, bkllb.Readonly, ops.ByKey),
		bkllb.AddMount(buildCache, bkllb.Scratch(), bkllb.AsPersistentCacheDir("mlbuild/build/"+b.in.Base.CacheName()+"/"+b.in.platform.Architecture, bkllb.CacheMountShared)),
	}
	if len(locked) > 0 {
		merged := bkllb.Merge(slices.Concat(b.below.OfKind(layerplan.KindSkeleton).States(), locked), s.Named("locked packages for the build of %s", w.Name))
		opts = append(opts, bkllb.AddMount(wheel.Venv, merged, bkllb.SourcePath(wheel.Venv), bkllb.Readonly, ops.ByKey))
	}
	opts = append(opts, b.toolkit(how)...)
	opts = append(opts, ops.UVOptions(b.in.platform)...)
	opts = append(opts, b.in.Network.Options(ops.PythonCA)...)
	opts = append(opts, ops.IndexSecrets(b.recipe.Requires.Indexes)...)
	env := b.buildEnv(w, how)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		opts = append(opts, bkllb.AddEnv(name, env[name]))
	}
	return b.root.Run(opts...).AddMount("/out", bkllb.Scratch()), nil
}

// buildName says what is built, and for whom.
func (b *wheelBuilder) buildName(w pylock.Wheel) string {
	name := "wheel of " + w.Label()
	if asked := b.in.Build.Asked[w.Name]; asked != "" {
		name += ", required by " + asked
	}
	return name
}

func (b *wheelBuilder) buildCommand() bkllb.RunOption {
	args := []string{b.in.Interpreter, ops.ScriptDir + "/run.py"}
	if len(ops.IndexSecrets(b.recipe.Requires.Indexes)) == 0 {
		return bkllb.Args(args)
	}
	return bkllb.Args(append([]string{"/bin/sh", "-euc", ops.IndexScript + `exec "$@"`, "sh"}, args...))
}

// buildCache keeps what compilers and package managers of other languages can use again.
const buildCache = "/var/cache/mlbuild-build"

// buildEnv is the environment of a build. What the project file says wins.
func (b *wheelBuilder) buildEnv(w pylock.Wheel, how recipe.PackageBuild) map[string]string {
	env := map[string]string{
		"SOURCE_DATE_EPOCH": sourceEpoch, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root",
		"CCACHE_DIR": buildCache + "/ccache", "PIP_CACHE_DIR": buildCache + "/pip", "CARGO_HOME": buildCache + "/cargo",
		"PATH": "/usr/lib/ccache:" + pathOf(b.in.Base),
	}
	if how.Shared {
		env["PATH"] = "/mlbuild/env/bin:" + wheel.Venv + "/bin:" + env["PATH"]
	}
	if version := b.versionOf(w); version != "" {
		env[ops.PretendVariable(w.Name)] = version
		env["POETRY_DYNAMIC_VERSIONING_BYPASS"], env["PBR_VERSION"] = version, version
	}
	if how.Jobs > 0 {
		jobs := fmt.Sprint(how.Jobs)
		env["MAX_JOBS"], env["CMAKE_BUILD_PARALLEL_LEVEL"], env["MAKEFLAGS"] = jobs, jobs, "-j"+jobs
	}
	if b.withCUDA(how) {
		_, _, architectures := compat.CUDABuild(b.in.Build.CUDA)
		env["CUDA_HOME"], env["FORCE_CUDA"], env["TORCH_CUDA_ARCH_LIST"] = cudaHome, "1", architectures
		env["PATH"] = cudaHome + "/bin:" + env["PATH"]
	}
	for _, p := range how.Env {
		env[p.Name] = p.Value
	}
	return env
}

func pathOf(base ops.Base) string {
	for _, kv := range base.Config.Config.Env {
		if p, ok := strings.CutPrefix(kv, "PATH="); ok {
			return p
		}
	}
	return systemPath
}

// versionOf is what a build that reads its version off git's tags is told: the lock's, or for a package of the project what the tags say.
func (b *wheelBuilder) versionOf(w pylock.Wheel) string {
	switch w.Source.Type {
	case pylock.Git:
		return w.Version
	case pylock.Directory:
		local := append([]recipe.LocalSource{}, b.recipe.Requires.Local...)
		if p := b.recipe.Builder.Project; p != nil {
			local = append(local, *p)
		}
		if slices.ContainsFunc(local, func(l recipe.LocalSource) bool { return l.Path == w.Source.Path && l.Git }) {
			return b.in.Build.Version
		}
	}
	return ""
}

// cudaHome is where a build finds the CUDA toolkit.
const cudaHome = "/usr/local/cuda"

func (b *wheelBuilder) withCUDA(how recipe.PackageBuild) bool {
	return how.CUDA && b.in.Build.Devel.Ref != ""
}

// toolkit mounts the CUDA toolkit of NVIDIA's devel image over the builder stage: compilers, Python and glibc stay those of the base.
func (b *wheelBuilder) toolkit(how recipe.PackageBuild) []bkllb.RunOption {
	if !b.withCUDA(how) {
		return nil
	}
	_, dir, _ := compat.CUDABuild(b.in.Build.CUDA)
	return []bkllb.RunOption{bkllb.AddMount(cudaHome, ops.BaseToRead(b.in.Build.Devel, b.in.platform), bkllb.SourcePath(dir), bkllb.Readonly, ops.ByKey)}
}

// buildScript holds the script of the build step, what it is told, the project's indexes and constraints.
func (b *wheelBuilder) buildScript(w pylock.Wheel, how recipe.PackageBuild, has []string, s ops.Group) (bkllb.State, error) {
	job := struct {
		Archive     string   `json:"archive"` // file name, "" = a tree
		Subdir      string   `json:"subdir"`
		Shared      bool     `json:"shared"`
		Requires    []string `json:"requires"`
		Locked      []string `json:"locked"` // directories with locked packages
		Has         []string `json:"has"`    // these packages
		Constraints []string `json:"constraints"`
	}{Subdir: w.Source.Subdir, Shared: how.Shared, Requires: noNil(how.Requires), Locked: []string{}, Has: noNil(has), Constraints: []string{}}
	if w.Source.Type == pylock.Archive {
		job.Archive = w.Source.Name
	}
	if len(has) > 0 {
		job.Locked = []string{wheel.Venv + "/lib/python" + b.recipe.Python.Version + "/site-packages"}
	}
	var files []recipe.File
	for _, f := range b.recipe.Builder.Constraints { // under their own paths: they may name each other
		f.Path = "constraints/" + f.Path
		files = append(files, f)
		if f.Top {
			job.Constraints = append(job.Constraints, f.Path)
		}
	}
	if config := indexConfig(b.recipe.Requires); config != "" {
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
