package checkstep

import (
	"encoding/json"
	"fmt"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Where the program that checks an image finds itself, where it writes to, and where an image keeps that it was checked: a directory with a file for each check.
const (
	programDir = "/run/mlbuild/check"
	taskDir    = "/run/mlbuild/task"
	resultDir  = "/run/mlbuild/checked"
	resultFile = "checked"
	keptDir    = wheel.Venv + "/share/mlbuild/checked"
)

// Subject is what is checked.
type Subject struct {
	Root  bkllb.State   // the image
	After []bkllb.State // what is checked first: of two things that are wrong, the one that leads to the other is told
	Env   []recipe.Pair // its environment
	User  recipe.User   // who runs in it
	Table ops.DirTable
	GPU   string // a CDI device of the daemon; "" = none
	ops.Setting
}

// Packages returns the layer of an image that says that what is installed works: a file that is always the same, which the check leaves where nothing is wrong. So there is no image without
// the check, and a cache or a registry that has the layer for these very inputs stands for it. The check can write to the user's home, as a container can, and nothing of it is kept.
func Packages(s Subject, task check.Packages) (ops.Layer, error) {
	told, err := json.Marshal(task)
	if err != nil {
		return ops.Layer{}, fmt.Errorf("encode what is to be checked: %w", err)
	}
	g := s.Group(ops.GroupChecks)
	done := s.run(g, "packages", told, g.Step(ops.StepCheck, "packages", "run what is installed"), bkllb.Dir("/"), bkllb.ReadonlyRootFS(),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()), home(s))
	l := layerplan.Layer{
		Kind: layerplan.KindCheck, Name: "what is installed was run",
		Runs: "on the image without the project's files: the base and all packages are unpacked once for it, and it runs again when one of them changes",
	}
	return ops.Layer{Layer: l, State: s.kept(g, done, "packages")}, nil
}

// Service returns the layer of an image that says that its service does what the project says of it. The check runs as the first process of a container of the image, and what it writes
// is thrown away.
func Service(s Subject, task check.Run, secrets []recipe.StepSecret) (ops.Layer, error) {
	found, opts := projectstep.SecretMounts(secrets, s.User)
	for _, x := range found {
		task.Secrets = append(task.Secrets, x.File)
	}
	told, err := json.Marshal(task)
	if err != nil {
		return ops.Layer{}, fmt.Errorf("encode how the service is tried: %w", err)
	}
	g := s.Group(ops.GroupChecks)
	done := s.run(g, "service", told, append(opts, g.Step(ops.StepCheck, "service", "try the service"), bkllb.Dir(task.Dir))...)
	l := layerplan.Layer{
		Kind: layerplan.KindService, Name: "the service was tried",
		Runs: "on the whole image: every layer is unpacked once for it, and it runs again when anything changes",
	}
	return ops.Layer{Layer: l, State: s.kept(g, done, "service")}, nil
}

// run is what a check leaves: a directory with its result.
func (s Subject) run(g ops.Group, which string, told []byte, opts ...bkllb.RunOption) bkllb.State {
	empty := bkllb.Scratch().File(bkllb.Mkdir("/out", 0o755, bkllb.WithUIDGID(s.User.UID, s.User.GID), bkllb.WithCreatedTime(wheel.ModTime)), g.Named("a directory for the result"))
	all := append([]bkllb.RunOption{bkllb.User(fmt.Sprintf("%d:%d", s.User.UID, s.User.GID))}, opts...)
	if s.GPU != "" {
		all = append(all, bkllb.AddCDIDevice(bkllb.CDIDeviceName(s.GPU)))
	}
	for i, first := range s.After {
		all = append(all, bkllb.AddMount(fmt.Sprintf("/run/mlbuild/after/%d", i), first, bkllb.Readonly, ops.ByKey))
	}
	for _, kv := range s.Env {
		all = append(all, bkllb.AddEnv(kv.Name, kv.Value))
	}
	return run(s.Root, empty, s.Setting, g, which, told, all)
}

// run runs a check on an image and returns the directory out of empty with what the check leaves there.
func run(root, empty bkllb.State, s ops.Setting, g ops.Group, which string, told []byte, opts []bkllb.RunOption) bkllb.State {
	all := append([]bkllb.RunOption{
		bkllb.Args([]string{programDir + "/" + helper.Checks, which, "@" + taskDir + "/task.json", resultDir}), bkllb.Platform(s.Platform), bkllb.Network(pb.NetMode_NONE),
		bkllb.AddMount(programDir, program(s.Helpers), bkllb.Readonly, ops.ByKey),
		bkllb.AddMount(taskDir, bkllb.Scratch().File(bkllb.Mkfile("/task.json", 0o644, told, bkllb.WithCreatedTime(wheel.ModTime)), g.Named("what is to be checked")), bkllb.Readonly, ops.ByKey),
	}, opts...)
	return root.Run(all...).AddMount(resultDir, empty, bkllb.SourcePath("/out"))
}

// kept is the result of a check at its place, owned by root whoever ran the check.
func (s Subject) kept(g ops.Group, done bkllb.State, which string) bkllb.State {
	a := s.Table.Mkdirs(keptDir)
	a.Copy(done, "/out/"+resultFile, keptDir+"/"+which, &bkllb.CopyInfo{Mode: ops.Chmod("0644")}, 0, 0)
	a.Settle(g, s.Table.Chain(keptDir))
	return bkllb.Scratch().File(a.Last, g.Named("keep that it was checked"))
}

// program is a directory that holds the program that checks images, for the platform that is built.
func program(h ops.Helpers) bkllb.State {
	return h.As(h.Checks, helper.Checks, "the program that checks images")
}

// home lets the image's user write to its home directory, and throws away what was written. Root's home is an empty one: not every base has it.
func home(s Subject) bkllb.RunOption {
	if s.User.UID == 0 {
		return bkllb.AddMount(s.User.Home, bkllb.Scratch(), bkllb.Tmpfs())
	}
	return bkllb.AddMount(s.User.Home, s.Root, bkllb.SourcePath(s.User.Home), bkllb.ForceNoOutput, ops.ByKey)
}
