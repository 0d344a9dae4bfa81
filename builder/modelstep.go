package builder

import (
	"context"
	"errors"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// modelTool looks up the image that fetches and unpacks models, where one has to.
func (b *build) modelTool(ctx context.Context, gw gateway.Client, c *found) (ops.Base, error) {
	if !llb.NeedModelTool(c.recipe, c.models) {
		return ops.Base{}, nil
	}
	return lookupImage(ctx, gw, c.recipe.Tool, b.worker)
}

// measureSigned has the daemon fetch an object with the model's secret, and gives its size and hash.
func (b *build) measureSigned(ctx context.Context, gw gateway.Client, r *recipe.Recipe, model *recipe.Model) (f syslock.ModelFile, err error) {
	tool, err := lookupImage(ctx, gw, r.Tool, b.worker)
	if err != nil {
		return f, err
	}
	def, steps, err := llb.MeasureModel(model, tool, b.worker, b.network())
	if err != nil {
		return f, err
	}
	b.logs(r.Profile).learn(steps)
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		failed := b.logs(r.Profile).failure(err)
		if context.Cause(b.ctx) != nil || failed.step.Kind != ops.StepFetchModel {
			return f, b.explain(r.Profile, err)
		}
		return f, modelStepFault(modelDownload(model, "", f), failed.output, err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return f, fmt.Errorf("the download of %s: %w", model.Name, err)
	}
	sum, err := readFile(ctx, ref, llb.FetchedSum)
	if err != nil {
		return f, err
	}
	st, err := ref.StatFile(ctx, gateway.StatRequest{Path: llb.FetchedFile})
	if err != nil {
		return f, fmt.Errorf("the size of %s: %w", model.Source, err)
	}
	return syslock.ModelFile{SHA256: string(sum), Size: st.Size}, nil
}

// What llb/fetchmodel.py and llb/unpackmodel.py say.
var (
	stepAnswer = lazyregexp.New(`mlbuild: the server answers (\d{3}.*)`)
	stepSent   = lazyregexp.New(`mlbuild: the server sent (sha256:[0-9a-f]{64})`)
	stepSecret = lazyregexp.New(`mlbuild: (the secret holds .*)`)
	stepReason = lazyregexp.New(`mlbuild: (.*)`)
)

// modelStepFault says why a step could not fetch a file of a model.
func modelStepFault(d download, said string, err error) *fault.Fault {
	if m := stepAnswer.FindStringSubmatch(said); m != nil {
		return downloadFault(d, fmt.Errorf("invalid response status %s", m[1]))
	}
	if m := stepSent.FindStringSubmatch(said); m != nil {
		return fault.New(fault.Digest, "%s has changed: the server sent %s, the lock promises sha256:%s", d.url, m[1], d.sha256).
			Hint("if the file was republished and you trust it, renew the lock: %s", d.renew)
	}
	if m := stepSecret.FindStringSubmatch(said); m != nil {
		return fault.New(fault.Secret, "cannot download %s: %s", d.url, m[1]).Hint("docs/models.md says what a secret of a model may hold")
	}
	if m := stepReason.FindStringSubmatch(said); m != nil {
		err = errors.New(m[1])
	}
	return downloadFault(d, err)
}

// unpackFault says why the archive of a model could not be unpacked; nil if the step did not say it.
func unpackFault(model *recipe.Model, said string) error {
	m := stepReason.FindStringSubmatch(said)
	if model == nil || m == nil {
		return nil
	}
	return fault.New(fault.Context, "cannot unpack %s: %s", model.Source, m[1]).Hint("correct the archive, or leave out unpack: the file itself is then the model")
}
