package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// stageTesting is the stage whose tests are run.
const stageTesting = string(recipe.StageTesting)

// test runs the tests of every platform and brings their reports back, however they end. It returns notes for the user.
func (m *imageBuild) test(ctx context.Context, gw gateway.Client, all made) ([]string, error) {
	imports := m.publish.Imports(all.Remote, all.Graphs)
	notes, errs := make([][]string, len(all.platforms)), make([]error, len(all.platforms))
	var eg errgroup.Group // every platform's tests run to their end
	for i, c := range all.platforms {
		eg.Go(func() error {
			notes[i], errs[i] = m.testOne(ctx, gw, c, imports, len(all.platforms) > 1)
			return nil
		})
	}
	_ = eg.Wait()
	return slices.Concat(notes...), errors.Join(errs...)
}

// testOne runs the tests of one platform, which is one of several or alone. Cached failures are run again; cached passes are trusted.
func (m *imageBuild) testOne(ctx context.Context, gw gateway.Client, c platformBuild, imports []Cache, several bool) (notes []string, err error) {
	end, ref, err := m.runTests(ctx, gw, c, imports)
	if err == nil && end.Exit != 0 && end.Run != m.runID() {
		if c, err = c.again(stageTesting); err == nil {
			end, ref, err = m.runTests(ctx, gw, c, imports)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := m.bringReports(ctx, ref, c, several); err != nil {
		return nil, err
	}
	if end.Exit != 0 {
		failed := m.testFault(c, end)
		m.inFailedTests(ctx, gw, c, imports, failed)
		return nil, failed
	}
	for _, report := range end.Missing {
		notes = append(notes, fmt.Sprintf("the tests wrote no report %s", report))
	}
	return notes, nil
}

// runID tells this run from others.
func (b *build) runID() string { return string(b.store[llb.RunSecret]) }

// again compiles the graph so that the steps of a stage run again.
func (c platformBuild) again(stage string) (platformBuild, error) {
	c.inputs.NoCache = append(slices.Clone(c.inputs.NoCache), stage)
	graph, err := llb.Compile(c.found.Recipe, c.inputs)
	c.graph = graph
	return c, err
}

func (m *imageBuild) runTests(ctx context.Context, gw gateway.Client, c platformBuild, imports []Cache) (end llb.Tested, ref gateway.Reference, err error) {
	if ref, err = m.graphOf(c).Solve(ctx, gw, c.graph.Tests, imports); err != nil {
		return end, nil, err
	}
	data, err := lookup.ReadFile(ctx, ref, llb.TestEnd)
	if err != nil {
		return end, nil, err
	}
	if err := json.Unmarshal(data, &end); err != nil {
		return end, nil, fmt.Errorf("the end of the tests: %w", err)
	}
	return end, ref, nil
}

// bringReports writes the reports into the directories of the request; of several platforms each has a directory of its own.
func (m *imageBuild) bringReports(ctx context.Context, ref gateway.Reference, c platformBuild, several bool) error {
	for _, o := range m.req.Outputs {
		if o.Type.Place() != publish.Directory {
			continue
		}
		data, err := lookup.ReadFile(ctx, ref, llb.TestReports)
		if err != nil {
			return err
		}
		dir := o.Directory(m.v.Profile)
		if several {
			dir = filepath.Join(dir, strings.ReplaceAll(c.found.Recipe.Platform, "/", "_"))
		}
		to, err := publish.Unpack(dir)
		if err != nil {
			return err
		}
		_, err = io.Copy(to, bytes.NewReader(data))
		if err := errors.Join(err, to.Close()); err != nil {
			return err
		}
	}
	return nil
}

// testFault is a test run that failed, with the end of its output.
func (m *imageBuild) testFault(c platformBuild, end llb.Tested) *fault.Fault {
	f := fault.New(fault.Step, "the tests of profile %s on %s failed: %s ended with exit code %d:\n%s",
		m.v.Profile, c.found.Recipe.Platform, strings.Join(end.Command, " "), end.Exit, diagnose.LastLines(end.Output, 40))
	switch {
	case end.Exit == 127 || strings.Contains(end.Output, "No module named"):
		f.Hint("what the tests need beside the runtime stands in mlbuild.yaml: testing: {packages: […]}, or requirements or groups")
	case end.Exit == 5 && slices.ContainsFunc(end.Command, func(w string) bool { return strings.HasSuffix(w, "pytest") }):
		f.Hint("pytest found no tests; name them in mlbuild.yaml: testing: {copy: [tests]}")
	}
	if len(c.found.Recipe.Testing.Reports) > 0 && !slices.ContainsFunc(m.req.Outputs, func(o Output) bool { return o.Type.Place() == publish.Directory }) {
		f.Hint("--output DIR brings the reports back: %s", strings.Join(c.found.Recipe.Testing.Reports, ", "))
	}
	return f
}
