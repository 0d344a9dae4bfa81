package lookup

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Models asks the sources of models what they have.
type Models struct {
	Daemon
	Target recipe.Stage    // that is built; "" = runtime
	Lock   *buildlock.Lock // the project's mlbuild.lock; nil = there is none
}

// modelSource is one kind of source of models. A source of one file over HTTP needs none of its own (oneFile).
type modelSource interface {
	// list asks which files a model has now, and for the revision that has them, "" = the source knows none. A file without a path is the whole source.
	list(ctx context.Context, m Models, r *recipe.Recipe, model *recipe.Model) (revision string, files []buildlock.ModelFile, err error)
	// download is the graph's download of a file, with what helps where it fails; false where the graph has no download for it.
	download(model *recipe.Model, revision string, f buildlock.ModelFile) (diagnose.Download, bool)
}

// modelSources are the kinds of source that are more than one file over HTTP. Each kind's file adds itself.
var modelSources = map[recipe.ModelKind]modelSource{}

func sourceOf(model *recipe.Model) modelSource {
	if s, ok := modelSources[model.Source.Kind]; ok {
		return s
	}
	return oneFile{}
}

// Find returns what each model of the recipe is made of, in its order: from the lock, or as its source has it now. The stages without models get zero values. Errors: those of
// diagnose.Build's Fetch, ModelGit and Measured, and fault.Spec for patterns that choose nothing.
func (m Models) Find(ctx context.Context, r *recipe.Recipe) ([]buildlock.Model, error) {
	found := make([]buildlock.Model, len(r.Models))
	if m.Target == recipe.StageBase || m.Target == recipe.StageBuilder {
		return found, nil
	}
	for i := range r.Models {
		model := &r.Models[i]
		if locked, reason := m.Lock.Model(model.Name, model.Inputs); reason == "" {
			found[i] = *locked
			continue
		}
		var err error
		if found[i], err = m.list(ctx, r, model); err != nil {
			return nil, err
		}
		if models.Signed(model) && !model.Pinned() { // a step has no way to see that the source has something else now
			if found[i].Files[0], err = m.measure(ctx, r, model); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// Tool looks up the image that fetches and unpacks models, the zero value where none has to.
func (m Models) Tool(ctx context.Context, r *recipe.Recipe, found []buildlock.Model) (ops.Base, error) {
	if !models.NeedTool(r, found) {
		return ops.Base{}, nil
	}
	return m.ImageOf(ctx, r.Tool, m.Worker)
}

// list asks a source which files a model has. A source that is one file is not asked: the build takes what is there.
func (m Models) list(ctx context.Context, r *recipe.Recipe, model *recipe.Model) (buildlock.Model, error) {
	found := buildlock.Model{Name: model.Name, Source: model.Source.String(), Inputs: model.Inputs}
	var err error
	if found.Revision, found.Files, err = sourceOf(model).list(ctx, m, r, model); err != nil {
		return found, err
	}
	return found, found.Unsafe()
}

// ToLock returns what mlbuild.lock is to pin of the models of all recipes, by profile; every profile has its entry. What old has stays, unless renew is set. Each source is asked once. The
// errors are Find's.
func (m Models) ToLock(ctx context.Context, recipes []*recipe.Recipe, old *buildlock.Lock, renew bool) (map[string][]buildlock.Model, error) {
	asked := map[string]buildlock.Model{}
	byProfile := map[string][]buildlock.Model{}
	for _, r := range recipes {
		byProfile[r.Profile] = nil
	}
	for _, r := range recipes {
		for i := range r.Models {
			model := &r.Models[i]
			if model.Pinned() {
				continue
			}
			found, done := asked[model.Inputs]
			if !done {
				var err error
				if found, err = m.pin(ctx, r, model, old, renew); err != nil {
					return nil, err
				}
				asked[model.Inputs] = found
			}
			found.Name = model.Name
			byProfile[r.Profile] = append(byProfile[r.Profile], found)
		}
	}
	return byProfile, nil
}

func (m Models) pin(ctx context.Context, r *recipe.Recipe, model *recipe.Model, old *buildlock.Lock, renew bool) (buildlock.Model, error) {
	if locked, reason := old.Model(model.Name, model.Inputs); reason == "" && !renew {
		return *locked, nil
	}
	found, err := m.list(ctx, r, model)
	if err != nil || len(found.Files) != 1 || found.Files[0].Path != "" {
		return found, err
	}
	found.Files[0], err = m.measure(ctx, r, model)
	return found, err
}

// hashOf has the daemon fetch a file and returns its sha256 (hex). A solve of the same download in this session finds the file there.
func (m Models) hashOf(ctx context.Context, profile string, d diagnose.Download) (string, error) {
	op := &pb.SourceOp{Identifier: d.URL, Attrs: map[string]string{pb.AttrHTTPFilename: models.FetchedFile[1:], pb.AttrHTTPPerm: "0644"}}
	if d.Secret != "" {
		op.Attrs[pb.AttrHTTPAuthHeaderSecret] = d.Secret
	}
	meta, err := m.Gateway.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] " + d.File})
	switch {
	case err != nil:
		return "", m.failed(profile).Fetch(d, err)
	case meta.HTTP == nil:
		return "", fault.New(fault.Internal, "the daemon says nothing of %s", d.URL)
	}
	return meta.HTTP.Digest.Encoded(), nil
}

// fetch has the daemon fetch a file as it is now.
func (m Models) fetch(ctx context.Context, profile string, d diagnose.Download) (gateway.Reference, error) {
	def, err := models.Fetch(d.URL, d.Secret, d.File)
	if err != nil {
		return nil, err
	}
	return m.solve(ctx, def, profile, "the download of "+d.File, func(b diagnose.Build, err error) error { return b.Fetch(d, err) })
}

const renewModels = "mlbuild lock --upgrade models"

// modelDownload is the download of one file of a model, with what helps where it fails.
func modelDownload(model *recipe.Model, revision string, f buildlock.ModelFile) diagnose.Download {
	d := diagnose.Download{
		URL: models.URL(model, revision, f.Path), SHA256: f.SHA256, File: models.StepName(model, f), Secret: models.Auth(model), Renew: renewModels,
		Gone: fmt.Sprintf("correct the model %s in mlbuild.yaml; if its files moved, renew the lock: %s", model.Name, renewModels),
	}
	d.Account = diagnose.ModelAccount(model)
	if model.Source.SHA256 != "" {
		d.Renew = "correct sha256 of the model " + model.Name + " in mlbuild.yaml"
	}
	return d
}

// modelDownloads lists what the graph downloads for models.
func modelDownloads(r *recipe.Recipe, found []buildlock.Model) []diagnose.Download {
	var all []diagnose.Download
	for i := range found {
		model := &r.Models[i]
		for _, f := range found[i].Files {
			if d, ok := sourceOf(model).download(model, found[i].Revision, f); ok {
				all = append(all, d)
			}
		}
	}
	return all
}
