package builder

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// checkModelLock reports whether mlbuild.lock pins the variant's models. One that it does not pin is a fault.LockStale under --locked, else a note.
func checkModelLock(req Request, lock *buildlock.Lock, v Variant) error {
	var faults fault.List
	told := map[string]bool{}
	for _, r := range v.Recipes {
		for i := range r.Models {
			model := &r.Models[i]
			_, reason := lock.Model(model.Name, model.Inputs)
			if model.Pinned() || reason == "" || told[model.Name] {
				continue
			}
			told[model.Name] = true
			if req.Locked {
				faults = append(faults, fault.New(fault.LockStale, "the model %s of profile %s is not pinned (%s), and --locked forbids taking what its source has now", model.Name, v.Profile, reason).
					In(fault.Position{File: buildlock.FileName}).Hint("mlbuild lock --profile %s", v.Profile))
				continue
			}
			req.note("the model %s is taken as its source has it now (%s: %s); \"mlbuild lock\" pins it", model.Name, buildlock.FileName, reason)
		}
	}
	return faults.Err()
}

// findModels returns what each model of the recipe is made of, in its order: from the lock, or as its source has it now.
func (b *build) findModels(ctx context.Context, gw gateway.Client, r *recipe.Recipe) ([]buildlock.Model, error) {
	if b.req.Target == "base" || b.req.Target == "builder" {
		return make([]buildlock.Model, len(r.Models)), nil
	}
	found := make([]buildlock.Model, len(r.Models))
	for i := range r.Models {
		model := &r.Models[i]
		if locked, reason := b.system.Model(model.Name, model.Inputs); reason == "" {
			found[i] = *locked
			continue
		}
		var err error
		if found[i], err = b.listModel(ctx, gw, r, model); err != nil {
			return nil, err
		}
		if models.Signed(model) && !model.Pinned() { // a step has no way to see that the source has something else now
			if found[i].Files[0], err = b.measure(ctx, gw, r, model); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// listModel asks a source which files a model has. A source that is one file is not asked: the build takes what is there.
func (b *build) listModel(ctx context.Context, gw gateway.Client, r *recipe.Recipe, model *recipe.Model) (buildlock.Model, error) {
	found := buildlock.Model{Name: model.Name, Source: model.Source.String(), Inputs: model.Inputs}
	switch model.Source.Kind {
	case recipe.ModelHub:
		return found, b.listHub(ctx, gw, r.Profile, model, &found)
	case recipe.ModelGit:
		return found, b.listGit(ctx, gw, r.Profile, model, &found)
	case recipe.ModelFile:
		if model.Tree() && !model.Unpack {
			return found, nil
		}
	}
	found.Files = []buildlock.ModelFile{{SHA256: model.Source.SHA256}}
	return found, nil
}

// lockModels pins the models of all recipes: those that the lock has stay, unless renew is set. Each source is asked once.
func (b *build) lockModels(ctx context.Context, gw gateway.Client, all Variant, renew bool, to *BuildLocked) error {
	asked := map[string]buildlock.Model{}
	byProfile := map[string][]buildlock.Model{}
	for _, r := range all.Recipes {
		byProfile[r.Profile] = nil
	}
	for _, r := range all.Recipes {
		for i := range r.Models {
			model := &r.Models[i]
			if model.Pinned() {
				continue
			}
			found, done := asked[model.Inputs]
			if !done {
				var err error
				if found, err = b.lockModel(ctx, gw, r, model, renew, to.Old); err != nil {
					return err
				}
				asked[model.Inputs] = found
			}
			found.Name = model.Name
			byProfile[r.Profile] = append(byProfile[r.Profile], found)
		}
	}
	for _, r := range all.Recipes {
		to.Lock.PutModels(r.Profile, byProfile[r.Profile])
	}
	return nil
}

func (b *build) lockModel(ctx context.Context, gw gateway.Client, r *recipe.Recipe, model *recipe.Model, renew bool, old *buildlock.Lock) (buildlock.Model, error) {
	if m, reason := old.Model(model.Name, model.Inputs); reason == "" && !renew {
		return *m, nil
	}
	found, err := b.listModel(ctx, gw, r, model)
	if err != nil || len(found.Files) != 1 || found.Files[0].Path != "" {
		return found, err
	}
	found.Files[0], err = b.measure(ctx, gw, r, model)
	return found, err
}

// measure has the daemon fetch a source that is one file, and returns its size and hash.
func (b *build) measure(ctx context.Context, gw gateway.Client, r *recipe.Recipe, model *recipe.Model) (f buildlock.ModelFile, err error) {
	if models.Signed(model) {
		return b.measureSigned(ctx, gw, r, model)
	}
	d := modelDownload(model, "", f)
	if f.SHA256, err = b.hashOf(ctx, gw, r.Profile, d); err != nil {
		return f, err
	}
	ref, err := b.fetch(ctx, gw, r.Profile, d)
	if err != nil {
		return f, err
	}
	st, err := ref.StatFile(ctx, gateway.StatRequest{Path: models.FetchedFile})
	if err != nil {
		return f, fmt.Errorf("the size of %s: %w", d.URL, err)
	}
	f.Size = st.Size
	return f, nil
}

// hashOf has the daemon fetch a file and returns its sha256 (hex). A solve of the same download in this session finds the file there.
func (b *build) hashOf(ctx context.Context, gw gateway.Client, profile string, d diagnose.Download) (string, error) {
	op := &pb.SourceOp{Identifier: d.URL, Attrs: map[string]string{pb.AttrHTTPFilename: models.FetchedFile[1:], pb.AttrHTTPPerm: "0644"}}
	if d.Secret != "" {
		op.Attrs[pb.AttrHTTPAuthHeaderSecret] = d.Secret
	}
	meta, err := gw.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[download] " + d.File})
	switch {
	case err != nil:
		return "", b.failed(profile).Fetch(d, err)
	case meta.HTTP == nil:
		return "", fault.New(fault.Internal, "the daemon says nothing of %s", d.URL)
	}
	return meta.HTTP.Digest.Encoded(), nil
}

// fetch has the daemon fetch a file as it is now.
func (b *build) fetch(ctx context.Context, gw gateway.Client, profile string, d diagnose.Download) (gateway.Reference, error) {
	def, err := models.Fetch(d.URL, d.Secret, d.File)
	if err != nil {
		return nil, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return nil, b.failed(profile).Fetch(d, err)
	}
	return res.SingleRef()
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
	if models.FetchedByStep(model, f) && model.Source.Kind == recipe.ModelGit {
		d.URL = f.Path + " of " + model.Source.URL
	}
	return d
}

// modelDownloads lists what the graph fetches for models over HTTP.
func modelDownloads(r *recipe.Recipe, found []buildlock.Model) []diagnose.Download {
	var all []diagnose.Download
	for i := range found {
		model := &r.Models[i]
		if model.Source.Kind == recipe.ModelFile {
			continue
		}
		for _, f := range found[i].Files {
			if model.Source.Kind != recipe.ModelGit || models.FetchedByStep(model, f) {
				all = append(all, modelDownload(model, found[i].Revision, f))
			}
		}
	}
	return all
}
