package builder

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestConcludeImageChecks: how a check of an image ended is told by its report, and by whether the daemon could make it.
func TestConcludeImageChecks(t *testing.T) {
	told := func(faults ...check.Fault) diagnose.CheckRun {
		return diagnose.CheckRun{Report: check.Report{Seconds: 2, Faults: faults}, Told: true}
	}
	noPython, brokenPython := check.Fault{Kind: check.Python, File: "python3", Text: "not found"}, check.Fault{Kind: check.Python, File: "/usr/bin/python3", Text: "it does not start"}
	noProgram := check.Fault{Kind: check.NoProgram, Program: "serve", For: "command"}
	exit, lost := errors.New("exit code: 1"), fault.New(fault.DaemonLost, "gone").Retryable()
	for _, c := range []struct {
		name   string
		cuda   bool
		run    diagnose.CheckRun
		failed error
		want   string
		faults []fault.Code
	}{
		{"passed", false, told(), nil, "packages passed 2 s", nil},
		{"for CUDA", true, told(), nil, "packages passed 2 s no gpu", nil},
		{"passed before", true, diagnose.CheckRun{}, nil, "packages reused", nil},
		{"failed", false, told(check.Fault{Kind: check.Import, Module: "a", Text: "no"}), exit, "packages failed 2 s", []fault.Code{check.Code}},
		{"no Python", false, told(noPython), exit, "packages none: the image has no Python: its PATH finds neither python3 nor python 2 s", nil},
		{"no Python and no program", false, told(noProgram, noPython), exit, "packages failed 2 s", []fault.Code{check.Code}},
		{"a broken Python", false, told(brokenPython), exit, "packages failed 2 s", []fault.Code{check.Code}},
		{"the daemon is lost", false, diagnose.CheckRun{}, lost, "packages not run", []fault.Code{fault.DaemonLost}},
	} {
		ended, faults := imageCheck{check: evidence.Check{Name: evidence.Packages}, cuda: c.cuda, def: &pb.Definition{}}.conclude(c.run, diagnose.Checked{Image: "a:1"}, c.failed)
		var codes []fault.Code
		for _, f := range faults {
			codes = append(codes, f.Code)
		}
		if diff := cmp.Diff(c.want, trimmed(toldOf(ended))); diff != "" || !cmp.Equal(codes, c.faults) {
			t.Errorf("%s: %s, faults %v", c.name, diff, faults)
		}
	}
	off := imageCheck{check: evidence.Check{Name: evidence.Service, State: evidence.Off}}
	if ended, faults := off.conclude(diagnose.CheckRun{}, diagnose.Checked{}, nil); ended.State != evidence.Off || faults != nil {
		t.Errorf("%+v, %v", ended, faults)
	}
}

// TestChecksOfImages: which checks an image gets follows from its config and from what is asked.
func TestChecksOfImages(t *testing.T) {
	health := &dockerspec.HealthcheckConfig{Test: []string{"CMD", "true"}}
	for _, c := range []struct {
		name   string
		req    VerifyRequest
		health *dockerspec.HealthcheckConfig
		runs   bool
		state  evidence.State
	}{
		{"no health check", VerifyRequest{}, nil, false, evidence.None},
		{"asked for", VerifyRequest{Service: true}, nil, true, ""},
		{"a health check", VerifyRequest{Checks: CheckAll}, health, true, ""},
		{"packages alone", VerifyRequest{Checks: CheckPackages}, health, false, evidence.Off},
	} {
		image := ops.Base{Ref: "docker.io/library/a@sha256:00000000000000000000000000000000000000000000000000000000000000aa"}
		image.Config.Config.Healthcheck = c.health
		all, err := c.req.checksOf(image, ocispecs.Platform{OS: "linux", Architecture: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 2 || all[0].def == nil || (all[1].def != nil) != c.runs || all[1].check.State != c.state {
			t.Errorf("%s: %+v", c.name, all)
		}
	}
}

// TestUnverifiable: a reference that is none and a platform that the daemon cannot run are told before it is asked.
func TestUnverifiable(t *testing.T) {
	b := New(&daemon.Daemon{Platforms: []string{"linux/amd64"}})
	for want, req := range map[fault.Code]VerifyRequest{fault.Ref: {Image: "Upper Case"}, fault.Platform: {Image: "a:1", Platform: "linux/arm64"}} {
		v, err := b.Verify(t.Context(), req)
		if !fault.Is(err, want) || v == nil || len(v.Faults) != 1 {
			t.Errorf("%+v: %v", req, err)
		}
	}
}
