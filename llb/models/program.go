package models

import (
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// FetchedSum is where the result of Measure has the sha256 (hex) of FetchedFile.
const FetchedSum = "/sha256"

// job is what the program that fetches a file is told: scripts.FetchModel.
type job struct {
	Kind   string `json:"kind"` // s3, gs or lfs
	URL    string `json:"url"`
	Region string `json:"region"`
	SHA256 string `json:"sha256"` // hex, "" = unknown
	Size   int64  `json:"size"`   // bytes, 0 = unknown
}

// tool is the image whose Python fetches and unpacks, and how the network is reached.
type tool struct {
	root    bkllb.State
	worker  ocispecs.Platform
	network ops.Network
}

func newTool(image ops.Base, worker ocispecs.Platform, n ops.Network) (tool, error) {
	root, err := ops.ToolState(image, worker, ops.Group{ID: ops.GroupModels})
	return tool{root, worker, n}, err
}

// run runs a script of ours that reads what it is told and writes to /out.
func (t tool) run(text string, told any, opts ...bkllb.RunOption) (bkllb.State, error) {
	files, err := ops.Script(text, "job.json", told, nil, ops.Group{ID: ops.GroupModels}.Named("what is to be done"))
	if err != nil {
		return bkllb.State{}, err
	}
	opts = append(opts, bkllb.Args([]string{"python3", "-I", "-B", ops.ScriptDir + "/run.py", ops.ScriptDir + "/job.json"}),
		bkllb.Dir("/"), bkllb.Platform(t.worker), bkllb.AddMount(ops.ScriptDir, files, bkllb.Readonly, ops.ByKey))
	return t.root.Run(opts...).AddMount("/out", bkllb.Scratch()), nil
}

// fetch is one file, at FetchedFile. secret is the id of the one that opens its source, "" = none.
func (t tool) fetch(j job, secret string, c bkllb.ConstraintsOpt) (bkllb.State, error) {
	opts := append(t.network.Options(ops.PythonCA), c)
	if secret != "" {
		opts = append(opts, bkllb.AddSecret("/run/secrets/model", bkllb.SecretID(secret), bkllb.SecretFileOpt(0, 0, 0o400)))
	}
	return t.run(scripts.FetchModel, j, opts...)
}

// unpack is the contents of an archive, that of the model of this name.
func (t tool) unpack(archive held, name string) (bkllb.State, error) {
	opts := []bkllb.MountOption{bkllb.SourcePath(archive.path), bkllb.Readonly}
	if archive.byKey {
		opts = append(opts, ops.ByKey)
	}
	in := bkllb.AddMount("/in/model", archive.state, opts...)
	return t.run(scripts.UnpackModel, struct{}{}, in, bkllb.Network(pb.NetMode_NONE), ops.Group{ID: ops.GroupModels}.Step(ops.StepUnpackModel, name, "unpack the archive of %s", name))
}

// fetchStep names the step in which a program fetches a file of a model.
func fetchStep(model *recipe.Model, f buildlock.ModelFile) ops.Constraints {
	name := StepName(model, f)
	return ops.Group{ID: ops.GroupDownload}.Step(ops.StepFetchModel, name, "%s", name)
}

// Measure compiles the download of a Signed model whose sha256 is not known. It is never taken from the daemon's cache. Its result has FetchedFile and FetchedSum.
func Measure(model *recipe.Model, image ops.Base, worker ocispecs.Platform, n ops.Network) (*pb.Definition, ops.Steps, error) {
	t, err := newTool(image, worker, n)
	if err != nil {
		return nil, nil, err
	}
	f := buildlock.ModelFile{}
	state, err := t.fetch(*sources[model.Source.Kind].job(model, f), model.Secret, append(fetchStep(model, f), bkllb.IgnoreCache))
	if err != nil {
		return nil, nil, err
	}
	return ops.Marshal(state, worker, "the download of "+model.Name)
}
