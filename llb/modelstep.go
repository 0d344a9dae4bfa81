package llb

import (
	"cmp"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// FetchedSum is where the result of MeasureModel has the sha256 (hex) of FetchedFile.
const FetchedSum = "/sha256"

// Signed reports that a model's file comes from a bucket that wants credentials. A plain download cannot carry what S3 wants signed, and a signed URL must not be in
// the graph, so a step with the secret fetches it.
func Signed(model *recipe.Model) bool {
	return model.Secret != "" && (model.Source.Kind == recipe.ModelS3 || model.Source.Kind == recipe.ModelGS)
}

// FetchedByStep reports that a file of a model is fetched by a program: it is signed, or an object of git-LFS.
func FetchedByStep(model *recipe.Model, f buildlock.ModelFile) bool {
	return Signed(model) || model.Source.Kind == recipe.ModelGit && f.SHA256 != ""
}

// NeedModelTool reports whether a program has to fetch or unpack something of the recipe's models.
func NeedModelTool(r *recipe.Recipe, found []buildlock.Model) bool {
	for i := range found {
		if r.Models[i].Unpack {
			return true
		}
		for _, f := range found[i].Files {
			if FetchedByStep(&r.Models[i], f) {
				return true
			}
		}
	}
	return false
}

// modelTool is the image whose Python fetches and unpacks, and how the network is reached.
type modelTool struct {
	root    bkllb.State
	worker  ocispecs.Platform
	network ops.Network
}

func newModelTool(tool ops.Base, worker ocispecs.Platform, n ops.Network) (modelTool, error) {
	root, err := ops.ToolState(tool, worker, ops.Group{ID: ops.GroupModels})
	return modelTool{root, worker, n}, err
}

// run runs a script of ours that reads a job and writes to /out.
func (t modelTool) run(text string, job any, opts ...bkllb.RunOption) (bkllb.State, error) {
	files, err := ops.Script(text, "job.json", job, nil, ops.Group{ID: ops.GroupModels}.Named("what is to be done"))
	if err != nil {
		return bkllb.State{}, err
	}
	opts = append(opts, bkllb.Args([]string{"python3", "-I", "-B", ops.ScriptDir + "/run.py", ops.ScriptDir + "/job.json"}),
		bkllb.Dir("/"), bkllb.Platform(t.worker), bkllb.AddMount(ops.ScriptDir, files, bkllb.Readonly, ops.ByKey))
	return t.root.Run(opts...).AddMount("/out", bkllb.Scratch()), nil
}

// fetch is one file of a model, at FetchedFile.
func (t modelTool) fetch(model *recipe.Model, f buildlock.ModelFile, c bkllb.ConstraintsOpt) (bkllb.State, error) {
	job := struct {
		Kind   recipe.ModelKind `json:"kind"`
		URL    string           `json:"url"`
		Region string           `json:"region"`
		SHA256 string           `json:"sha256"`
		Size   int64            `json:"size"`
	}{model.Source.Kind, ModelURL(model, "", ""), cmp.Or(model.Source.Region, defaultRegion), f.SHA256, f.Size}
	switch model.Source.Kind {
	case recipe.ModelGit:
		job.Kind = "lfs"
	case recipe.ModelGS:
		job.Region = "auto"
	}
	opts := append(t.network.Options(ops.PythonCA), c)
	if model.Secret != "" {
		opts = append(opts, bkllb.AddSecret("/run/secrets/model", bkllb.SecretID(model.Secret), bkllb.SecretFileOpt(0, 0, 0o400)))
	}
	return t.run(scripts.FetchModel, job, opts...)
}

// unpack is the contents of a model's archive, which lies in from at src.
func (t modelTool) unpack(from bkllb.State, src string, model *recipe.Model) (bkllb.State, error) {
	opts := []bkllb.MountOption{bkllb.SourcePath(src), bkllb.Readonly}
	if model.Source.Kind != recipe.ModelFile {
		opts = append(opts, ops.ByKey)
	}
	in := bkllb.AddMount("/in/model", from, opts...)
	return t.run(scripts.UnpackModel, struct{}{}, in, bkllb.Network(pb.NetMode_NONE), ops.Group{ID: ops.GroupModels}.Step(ops.StepUnpackModel, model.Name, "unpack the archive of %s", model.Name))
}

// fetchStep is the name of the step that fetches a file of a model by a program.
func fetchStep(model *recipe.Model, f buildlock.ModelFile) ops.Constraints {
	name := ModelStep(model, f)
	return ops.Group{ID: ops.GroupDownload}.Step(ops.StepFetchModel, name, "%s", name)
}

// MeasureModel compiles the download of a file whose sha256 is not known. It is never taken from the daemon's cache. Its result has FetchedFile and FetchedSum.
func MeasureModel(model *recipe.Model, tool ops.Base, worker ocispecs.Platform, n ops.Network) (*pb.Definition, ops.Steps, error) {
	t, err := newModelTool(tool, worker, n)
	if err != nil {
		return nil, nil, err
	}
	st, err := t.fetch(model, buildlock.ModelFile{}, append(fetchStep(model, buildlock.ModelFile{}), bkllb.IgnoreCache))
	if err != nil {
		return nil, nil, err
	}
	return ops.Marshal(st, worker, "the download of "+model.Name)
}

// unpacked is the contents of a model's archive.
func (m modelFetcher) unpacked(p modelPart) (bkllb.State, error) {
	f := buildlock.ModelFile{}
	if len(p.files) > 0 {
		f = p.files[0]
	}
	from, src, err := m.state(p, f)
	if err != nil {
		return from, err
	}
	return m.tool.unpack(from, src, p.model)
}
