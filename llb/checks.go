package llb

import (
	"encoding/json"
	"fmt"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Checks says which checks stand before an image.
type Checks int

// The checks.
const (
	NoChecks      Checks = iota
	CheckPackages        // that what is installed works
	CheckAll             // also that the project's own files find their packages, and the configuration its programs
)

// Where the program that checks an image finds itself and its task, where it writes to, and where an image keeps that it was checked.
const (
	checkDir    = "/run/mlbuild/check"
	checkedDir  = "/run/mlbuild/checked"
	checkedFile = "/checked"
	checkedAt   = wheel.Venv + "/share/mlbuild/checked" // a directory with a file for each check
)

// checkLayers returns the layer that says that the packages were checked: a file that is always the same, which the check of the layers below leaves where nothing is wrong. So there is no image
// without the check, and a cache or a registry that has the layer for these very inputs stands for it. Nothing below has the project's own files: an edit checks nothing again.
func checkLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) (ops.Layers, error) {
	if in.Checks == NoChecks || len(in.Wheels) == 0 || in.Target == recipe.StageDev {
		return nil, nil
	}
	task, err := json.Marshal(packagesTask(r, in))
	if err != nil {
		return nil, fmt.Errorf("encode what is to be checked: %w", err)
	}
	s := in.setting().Group(ops.GroupChecks)
	root := mergedStates(r, append(baseStates(in), below.States()...))
	opts := []bkllb.RunOption{
		bkllb.Args([]string{checkDir + "/" + helper.Checks, "packages", string(task), checkedDir}),
		bkllb.Dir("/"), bkllb.Platform(in.platform), s.Step(ops.StepCheck, "packages", "run what is installed"),
		bkllb.User(fmt.Sprintf("%d:%d", r.User.UID, r.User.GID)), bkllb.Network(pb.NetMode_NONE), bkllb.ReadonlyRootFS(),
		bkllb.AddMount(checkDir, checkProgram(in.Helpers.Checks), bkllb.Readonly, ops.ByKey),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()), homeMount(r.User, root),
	}
	for _, kv := range environment(r, in, r.User.Home, []recipe.Pair{{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}}) {
		opts = append(opts, bkllb.AddEnv(kv.Name, kv.Value))
	}
	done := root.Run(opts...).AddMount(checkedDir, emptyResult(r.User, s), bkllb.SourcePath("/out"))
	l := layerplan.Layer{Kind: layerplan.KindCheck, Name: "what is installed was run", Runs: "on the image without the project's files: the base and all packages are unpacked once for it, and it runs again when one of them changes"}
	return ops.Layers{{Layer: l, State: checkedLayer(done, "packages", table, s)}}, nil
}

// checkedLayer is the result of a check at its place, owned by root whoever ran the check.
func checkedLayer(done bkllb.State, name string, table ops.DirTable, s ops.Group) bkllb.State {
	a := table.Mkdirs(checkedAt)
	a.Copy(done, "/out"+checkedFile, checkedAt+"/"+name, &bkllb.CopyInfo{Mode: ops.Chmod("0644")}, 0, 0)
	a.Settle(s, table.Chain(checkedAt))
	return bkllb.Scratch().File(a.Last, s.Named("keep that it was checked"))
}

// checkProgram is a directory that holds the program that checks images, for the platform of a digest.
func checkProgram(digest string) bkllb.State {
	return bkllb.OCILayoutBlob(ops.HelperStore+"@"+digest, bkllb.ImageBlobOCIStore("", ops.HelperStore),
		bkllb.Filename(helper.Checks), bkllb.Chmod(0o755), ops.Group{ID: ops.GroupHelper}.Named("send the program that checks images"))
}

// homeMount lets the image's user write to its home directory, as a container does, and throws away what was written. Root's home is an empty one: not every base has it.
func homeMount(u recipe.User, root bkllb.State) bkllb.RunOption {
	if u.UID == 0 {
		return bkllb.AddMount(u.Home, bkllb.Scratch(), bkllb.Tmpfs())
	}
	return bkllb.AddMount(u.Home, root, bkllb.SourcePath(u.Home), bkllb.ForceNoOutput, ops.ByKey)
}

// packagesTask is what the program is told.
func packagesTask(r *recipe.Recipe, in given) check.Packages {
	c := r.Checks
	q := check.Packages{
		Root: "/", Python: wheel.Venv + "/bin/python", GPU: r.Accelerator.Kind != recipe.NoAccelerator, Skip: c.Skip, Lacking: c.Lacking, Timeout: c.Timeout, Memory: c.Memory,
		Frameworks: promises(r, in.CUDA), Unmet: overridden(r), Loose: loose(r),
	}
	for _, w := range in.Wheels {
		q.Installed = append(q.Installed, check.Package{Name: w.Name, Version: w.Version, Direct: len(c.Direct) == 0 || slices.Contains(c.Direct, w.Name)})
	}
	if in.Checks == CheckAll {
		for _, m := range c.Modules {
			q.Modules = append(q.Modules, check.Module{Name: m.Name, File: m.File, Line: m.Line})
		}
		for _, p := range c.Programs {
			q.Programs = append(q.Programs, check.Program{Name: p.Name, Dir: r.App.Workdir, For: p.For})
		}
	}
	return q
}

// promises are what a profile promises of frameworks. cuda is the version that the image's packages bring, "" = none, or unknown.
func promises(r *recipe.Recipe, cuda string) (all []check.Framework) {
	want := map[recipe.AcceleratorKind]string{
		recipe.NoAccelerator: "cpu", recipe.CUDA: "cuda", recipe.ROCm: "rocm", recipe.XPU: "xpu",
	}[r.Accelerator.Kind]
	for _, name := range []string{"jax", "onnxruntime", "tensorflow", "torch"} {
		f := check.Framework{Name: name, Want: want}
		if name == "torch" && want == "cuda" {
			f.CUDA = cuda
		}
		all = append(all, f)
	}
	return all
}

// overridden lists the packages in whose place the project wants others than are required.
func overridden(r *recipe.Recipe) (names []string) {
	for _, l := range r.Requires.Overrides {
		if q, err := pypi.ParseRequirement(l); err == nil {
			names = append(names, pypi.Normalize(q.Name))
		}
	}
	return recipe.SortedUnique(names)
}

// loose lists the packages that the project wants without what they require, or with requirements of its own saying.
func loose(r *recipe.Recipe) (names []string) {
	names = append(names, r.Requires.NoDeps...)
	for _, m := range r.Requires.Metadata {
		names = append(names, pypi.Normalize(m.Name))
	}
	return recipe.SortedUnique(names)
}
