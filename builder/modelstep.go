package builder

import (
	"context"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// modelTool looks up the image that fetches and unpacks models, where one has to.
func (b *build) modelTool(ctx context.Context, gw gateway.Client, c *found) (ops.Base, error) {
	if !models.NeedTool(c.recipe, c.models) {
		return ops.Base{}, nil
	}
	return lookupImage(ctx, gw, c.recipe.Tool, b.worker)
}

// measureSigned has the daemon fetch an object with the model's secret, and returns its size and hash.
func (b *build) measureSigned(ctx context.Context, gw gateway.Client, r *recipe.Recipe, model *recipe.Model) (f buildlock.ModelFile, err error) {
	tool, err := lookupImage(ctx, gw, r.Tool, b.worker)
	if err != nil {
		return f, err
	}
	def, steps, err := models.Measure(model, tool, b.worker, b.network())
	if err != nil {
		return f, err
	}
	b.logs(r.Profile).Learn(steps)
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return f, b.failed(r.Profile).Measured(modelDownload(model, "", f), err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return f, fmt.Errorf("the download of %s: %w", model.Name, err)
	}
	sum, err := readFile(ctx, ref, models.FetchedSum)
	if err != nil {
		return f, err
	}
	st, err := ref.StatFile(ctx, gateway.StatRequest{Path: models.FetchedFile})
	if err != nil {
		return f, fmt.Errorf("the size of %s: %w", model.Source, err)
	}
	return buildlock.ModelFile{SHA256: string(sum), Size: st.Size}, nil
}
