package lookup

import (
	"context"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// oneFile is a source that is one file over HTTP: a URL, a file of a drive, an object of a bucket. Where it is, models.URL says.
type oneFile struct{}

// list implements modelSource: nothing is asked.
func (oneFile) list(_ context.Context, _ Models, _ *recipe.Recipe, model *recipe.Model) (string, []buildlock.ModelFile, error) {
	return "", []buildlock.ModelFile{{SHA256: model.Source.SHA256}}, nil
}

// measure has the daemon fetch a source that is one file, and returns its size and hash.
func (m Models) measure(ctx context.Context, r *recipe.Recipe, model *recipe.Model) (f buildlock.ModelFile, err error) {
	if models.Signed(model) {
		return m.measureByStep(ctx, r, model)
	}
	d := modelDownload(model, "", f)
	if f.SHA256, err = m.hashOf(ctx, r.Profile, d); err != nil {
		return f, err
	}
	ref, err := m.fetch(ctx, r.Profile, d)
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

// measureByStep does the same by a step with the model's secret: a plain download cannot carry what a bucket wants signed.
func (m Models) measureByStep(ctx context.Context, r *recipe.Recipe, model *recipe.Model) (f buildlock.ModelFile, err error) {
	tool, err := m.ImageOf(ctx, r.Tool, m.Worker)
	if err != nil {
		return f, err
	}
	def, steps, err := models.Measure(model, tool, m.Worker, m.Network)
	if err != nil {
		return f, err
	}
	m.Logs.Learn(steps)
	ref, err := m.solve(ctx, def, r.Profile, "the download of "+model.Name, func(b diagnose.Build, err error) error { return b.Measured(modelDownload(model, "", f), err) })
	if err != nil {
		return f, err
	}
	sum, err := ReadFile(ctx, ref, models.FetchedSum)
	if err != nil {
		return f, err
	}
	st, err := ref.StatFile(ctx, gateway.StatRequest{Path: models.FetchedFile})
	if err != nil {
		return f, fmt.Errorf("the size of %s: %w", model.Source, err)
	}
	return buildlock.ModelFile{SHA256: string(sum), Size: st.Size}, nil
}

// download implements modelSource.
func (oneFile) download(model *recipe.Model, revision string, f buildlock.ModelFile) (diagnose.Download, bool) {
	return modelDownload(model, revision, f), true
}
