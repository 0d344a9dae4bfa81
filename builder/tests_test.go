package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

const stageYAML = "python: {packages: [numpy]}\ntesting: {packages: [pytest], copy: [main.py], command: [pytest], reports: [junit.xml]}\n"

// testRuns answers each test run in turn and tells how often it was asked to run without the cache.
type testRuns struct {
	buildertest.Gateway
	answers []string // JSON of llb.Tested
	again   int
}

func (s *testRuns) solveTests(_ string) (map[string]string, error) {
	answer := s.answers[0]
	s.answers = s.answers[1:]
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	data := []byte("<testsuite/>")
	_ = w.WriteHeader(&tar.Header{Name: "junit.xml", Typeflag: tar.TypeReg, Size: int64(len(data)), Mode: 0o644})
	_, _ = w.Write(data)
	_ = w.Close()
	return map[string]string{llb.TestEnd: answer, llb.TestReports: archive.String()}, nil
}

func ignores(def *pb.Definition) bool {
	for _, m := range def.Metadata {
		if m.IgnoreCache {
			return true
		}
	}
	return false
}

// A failure that the daemon remembers is tried again, one of this run is not; a pass is believed. Reports come back in all cases.
func TestRemembered(t *testing.T) {
	const mine, old = `"run":"this"`, `"run":"another"`
	for _, c := range []struct {
		name    string
		answers []string
		fails   string
		again   bool
	}{
		{"passes", []string{`{` + mine + `,"exit":0,"missing":["cov"]}`}, "", false},
		{"has passed", []string{`{` + old + `,"exit":0}`}, "", false},
		{"fails", []string{`{` + mine + `,"exit":1,"command":["pytest"],"output":"1 failed"}`}, "pytest ended with exit code 1:\n1 failed", false},
		{"has failed and passes", []string{`{` + old + `,"exit":1}`, `{` + mine + `,"exit":0}`}, "", true},
		{"has failed and fails", []string{`{` + old + `,"exit":1}`, `{` + mine + `,"exit":5,"command":["python","-m","pytest"],"output":""}`}, "pytest found no tests", true},
		{"no program", []string{`{` + mine + `,"exit":127,"command":["pytest"],"output":"pytest: No such file"}`}, "testing: {packages", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs := &testRuns{answers: c.answers}
			runs.OnSolve = runs.solveTests
			dir := t.TempDir()
			r := buildertest.Recipe(t, "cpu", stageYAML)
			outputs := []Output{{Type: publish.Local, Dir: filepath.Join(dir, "{profile}")}}
			m := &imageBuild{runner: runner{build: running(t, Request{Target: "testing", Outputs: outputs}), v: variantOf(r), w: diagnose.NewWatcher(nil)}, publish: publish.Publisher{Options: publish.Options{Outputs: outputs}}}
			m.store = session.Store{llb.RunSecret: []byte("this")}
			in := llb.Inputs{Base: ops.Base{Ref: "docker.io/library/python@sha256:" + buildertest.Zeros}, Worker: m.worker, Helpers: m.helpers, Target: "testing"}
			g, err := llb.Compile(r, in)
			if err != nil {
				t.Fatal(err)
			}
			all := made{platforms: []platformBuild{{found: lookup.Found{Recipe: r}, inputs: in, graph: g}}}
			all.Remote = &publish.RemoteState{}
			notes, err := m.test(t.Context(), counted{runs}, all)
			if c.fails != "" {
				buildertest.Expect(t, err, fault.Step, false, c.fails, "the tests of profile cpu on linux/amd64 failed")
			} else if image := imageOf(m.v, made{platforms: all.platforms, tested: true, notes: append(notes, notes...)}); err != nil || image.Tests != "passed" || !slices.Equal(image.Notes, notes) {
				t.Errorf("%v, %+v", err, image)
			}
			if (runs.again == 1) != c.again || len(runs.answers) != 0 {
				t.Errorf("asked %d times to run again; answers left: %q", runs.again, runs.answers)
			}
			if data, _ := os.ReadFile(filepath.Join(dir, "cpu", "junit.xml")); string(data) != "<testsuite/>" {
				t.Errorf("report %q", data)
			}
			if c.name == "passes" && !slices.Equal(notes, []string{"the tests wrote no report cov"}) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// counted notices definitions that ignore the cache.
type counted struct{ *testRuns }

func (c counted) Solve(ctx context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	if ignores(req.Definition) {
		c.again++
	}
	return c.testRuns.Solve(ctx, req)
}
