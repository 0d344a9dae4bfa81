package builder

import (
	"context"
	"path"
	"slices"
	"sync"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/checkstep"
	"github.com/mlbuild/mlbuild/llb/checktask"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// imageCheck is one check of an image that is verified.
type imageCheck struct {
	check evidence.Check // where nothing is to be run, how it ended
	cuda  bool           // it runs the packages of an image for CUDA
	def   *pb.Definition // nil = nothing is to be run
	steps ops.Steps
}

// checksOf returns the checks of an image.
func (r VerifyRequest) checksOf(image ops.Base, p ocispecs.Platform) ([]imageCheck, error) {
	program, err := helper.Digest(helper.Checks, imageName(p))
	if err != nil {
		return nil, err
	}
	config := image.Config.Config
	m := checkstep.Image{Base: image, Setting: ops.Setting{Platform: p, Helpers: ops.Helpers{Checks: program}}}
	if r.NoCache {
		m.NoCache = ops.NoCacheAll
	}
	packages := imageCheck{check: evidence.Check{Name: evidence.Packages}, cuda: checktask.ForCUDA(config)}
	service := imageCheck{check: evidence.Check{Name: evidence.Service}}
	packages.def, packages.steps, err = m.Packages(checktask.ImagePackages(config, r.Allowed, r.Checks != CheckPackages))
	if err != nil {
		return nil, err
	}
	switch {
	case r.Service || r.Checks != CheckPackages && checktask.HasHealthCheck(config):
		service.def, service.steps, err = m.Service(checktask.ImageService(config, r.Allowed))
	case r.Checks == CheckPackages:
		service.check.State = evidence.Off
	default:
		service.check.State, service.check.Why = evidence.None, "the image has no health check; --service tries it all the same"
	}
	return []imageCheck{packages, service}, err
}

// solveChecks has the daemon make the checks, side by side: one that fails ends no other. It returns what each failed of.
func solveChecks(ctx context.Context, gw gateway.Client, w *diagnose.Watcher, checks []imageCheck) []error {
	errs := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		if c.def == nil {
			continue
		}
		w.Learn(c.steps)
		wg.Go(func() { _, errs[i] = gw.Solve(ctx, gateway.SolveRequest{Definition: c.def, Evaluate: true}) })
	}
	wg.Wait()
	return errs
}

// conclude returns how a check of an image ended, by what was heard of it, and what it found to be wrong. failed is what the daemon ended it with, explained, nil = nothing.
func (c imageCheck) conclude(run diagnose.CheckRun, of diagnose.Checked, failed error) (evidence.Check, fault.List) {
	if c.def == nil {
		return c.check, nil
	}
	ended := c.check.With(run.Report)
	wrong, none := withoutPython(run.Report.Faults)
	faults := diagnose.CheckFaults(wrong, of)
	switch {
	case failed == nil && !run.Told:
		ended.State = evidence.Reused
	case failed == nil:
		ended.State = evidence.Passed
	case len(faults) > 0:
		ended.State = evidence.Failed
	case none:
		ended.State, ended.Why = evidence.None, "the image has no Python: its PATH finds neither python3 nor python"
	default:
		ended.State, ended.Why, faults = evidence.NotRun, "it could not be run", fault.All(failed)
	}
	if ended.State == evidence.Passed && c.cuda && ended.GPUs == 0 {
		ended.GPU = evidence.NoGPU
	}
	return ended, faults
}

// withoutPython leaves out what a check says of an image in whose PATH no Python is: it then tries a name, and not a file. none reports whether it did.
func withoutPython(all []check.Fault) (rest []check.Fault, none bool) {
	rest = slices.DeleteFunc(slices.Clone(all), func(f check.Fault) bool { return f.Kind == check.Python && !path.IsAbs(f.File) && f.File != "" })
	return rest, len(rest) < len(all)
}
