package builder

import (
	"context"
	"errors"
	"net/http"
	"slices"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Attest says what is left beside a pushed image.
type Attest struct {
	Checks  bool   // which checks it passed, as an in-toto statement
	Version string // of mlbuild, which the statement names
}

// checked returns how the checks of every platform of a variant ended, as far as the build has come. ended says that it came to its end: what it did not run itself was there. Of another
// stage than the runtime there are those alone that its graph has.
func checked(req Request, v Variant, platforms []platformBuild, w *diagnose.Watcher, ended bool) (all []evidence.Check) {
	for i, r := range v.Recipes {
		var steps ops.Steps
		if i < len(platforms) && platforms[i].graph != nil {
			steps = platforms[i].graph.Steps
		}
		all = append(all, checksOf(r, req.Checks, recipe.Stage(req.Target), steps, w.Checks(steps), ended)...)
	}
	return all
}

// checksOf returns how the checks of one platform's image ended. steps are those of its graph, nil = it was not compiled; runs say what was heard of them.
func checksOf(r *recipe.Recipe, which Checks, target recipe.Stage, steps ops.Steps, runs map[string]diagnose.CheckRun, ended bool) (all []evidence.Check) {
	for _, c := range []evidence.Check{projectCheck(which), ranCheck(evidence.Packages, r, which, steps, runs, ended), ranCheck(evidence.Service, r, which, steps, runs, ended)} {
		if _, has := runs[string(c.Name)]; has || target == "" || target == recipe.StageRuntime {
			c.Platform = r.Platform
			all = append(all, c)
		}
	}
	return all
}

// projectCheck is the check that needs no daemon. A build that has begun has passed it.
func projectCheck(which Checks) evidence.Check {
	if which != "" && which != CheckAll {
		return evidence.Check{Name: evidence.Project, State: evidence.Off}
	}
	return evidence.Check{Name: evidence.Project, State: evidence.Passed}
}

// ranCheck is a check that is a step of the graph.
func ranCheck(name evidence.Name, r *recipe.Recipe, which Checks, steps ops.Steps, runs map[string]diagnose.CheckRun, ended bool) evidence.Check {
	c := evidence.Check{Name: name}
	run, has := runs[string(name)]
	switch {
	case which == CheckNothing || which == CheckPackages && name == evidence.Service:
		c.State = evidence.Off
	case steps == nil:
		c.State, c.Why = evidence.NotRun, "the build failed before it"
	case !has:
		c.State, c.Why = evidence.None, nothingFor(name, r)
	case run.Told && len(run.Report.Faults) == 0:
		c = c.With(run.Report)
		c.State = evidence.Passed
		if name == evidence.Packages && r.Accelerator.Kind == recipe.CUDA && c.GPUs == 0 {
			c.GPU = evidence.NoGPU
		}
	case run.Told || run.Broken:
		c = c.With(run.Report)
		c.State = evidence.Failed
	case ended:
		c.State = evidence.Reused
	default:
		c.State, c.Why = evidence.NotRun, "the build failed before it"
	}
	return c
}

// nothingFor says why an image has nothing for a check.
func nothingFor(name evidence.Name, r *recipe.Recipe) string {
	switch {
	case name == evidence.Packages:
		return "the image has no packages beside its base's"
	case r.Smoke == nil:
		return "the project has no smoke section"
	}
	return "nothing is to be tried"
}

// attest leaves beside a pushed image which checks it passed. Where all of them passed before, one that is there says the same.
func attest(ctx context.Context, r *registry.Client, version string, image *Image) error {
	statement, ok, err := evidence.Statement(image.Tags[0], image.Digest, version, image.Checks)
	if err != nil {
		return err
	}
	if !ok {
		image.Notes = append(image.Notes, "no check ran on the image, so there is nothing to attest")
		return nil
	}
	ref := registry.Repository(image.Tags[0]) + "@" + image.Digest
	if !slices.ContainsFunc(image.Checks, func(c evidence.Check) bool { return c.Seconds > 0 }) {
		there, err := r.Attached(ctx, ref, evidence.MediaType)
		if err == nil && slices.ContainsFunc(there, isTestResult) {
			return nil
		}
	}
	err = r.Attach(ctx, ref, registry.Artifact{Type: evidence.MediaType, Data: statement, Annotations: map[string]string{predicateKey: evidence.PredicateType}})
	if err != nil {
		return unattested(image.Tags[0], err)
	}
	return nil
}

// unattested is the fault that a registry did not take a statement on an image that it has.
func unattested(image string, err error) *fault.Fault {
	code := fault.Registry
	if registry.Refuses(err) {
		code = fault.Denied
	}
	f := fault.New(code, "%s is pushed, and what was checked of it could not be put beside it: %w", image, err).
		Hint("the registry has to take manifests with a subject, or the tag sha256-…, in the image's repository")
	status, answered := errors.AsType[*registry.StatusError](err)
	if limits.IsTimedOut(err) || answered && (status.StatusCode >= http.StatusInternalServerError || status.StatusCode == http.StatusTooManyRequests) {
		f.Retryable()
	}
	return f
}

// predicateKey is the annotation by which lists say what an in-toto statement is about, as BuildKit and others have it.
const predicateKey = "in-toto.io/predicate-type"

func isTestResult(d ocispecs.Descriptor) bool {
	return d.Annotations[predicateKey] == evidence.PredicateType
}

// unpublished is a variant that came to no image.
func unpublished(v Variant, checks []evidence.Check, err error) Unpublished {
	return Unpublished{Profile: v.Profile, Platforms: v.platforms(), Checks: checks, Faults: fault.All(err)}
}

// ownSizes are the sizes of the layers of a plan among those of its image, nil where they are not known.
func ownSizes(image *Image, p publish.Published) []int64 {
	if image.Plan == nil || len(p.Sizes) < len(image.Plan.Layers) {
		return nil
	}
	return p.Sizes[len(p.Sizes)-len(image.Plan.Layers):]
}
