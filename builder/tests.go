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

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// onlyTests tells whether the request is for the tests alone: no image of the testing stage goes anywhere.
func (b *build) onlyTests() bool {
	return b.req.Target == "testing" && !slices.ContainsFunc(b.req.Outputs, func(o Output) bool {
		return o.Type != "local" && (o.Type != "image" || o.Push)
	})
}

// test runs the tests of every platform and brings their reports back, however they end. Without a testing stage there is nothing to do.
func (m *making) test(ctx context.Context, gw gateway.Client) error {
	if m.req.Target != "testing" {
		return nil
	}
	errs := make([]error, len(m.graphs))
	var eg errgroup.Group // every platform's tests run to their end
	for i := range m.graphs {
		eg.Go(func() error {
			errs[i] = m.testOne(ctx, gw, m.graphs[i])
			return nil
		})
	}
	_ = eg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.image.Tests = "passed"
	return nil
}

// testOne runs the tests of one platform. A failure that the daemon remembers is not believed: what failed runs again, a pass does not.
func (m *making) testOne(ctx context.Context, gw gateway.Client, c compiled) error {
	end, ref, err := m.runTests(ctx, gw, c)
	if err == nil && end.Exit != 0 && end.Run != m.runID() {
		if c, err = c.again("testing"); err == nil {
			end, ref, err = m.runTests(ctx, gw, c)
		}
	}
	if err != nil {
		return err
	}
	if err := m.bringReports(ctx, ref, c); err != nil {
		return err
	}
	if end.Exit != 0 {
		return m.testFault(c, end)
	}
	for _, report := range end.Missing {
		m.image.note("the tests wrote no report %s", report)
	}
	return nil
}

// runID tells this run from others.
func (b *build) runID() string { return string(b.store[llb.RunSecret]) }

// again compiles the graph so that the steps of a stage run again.
func (c compiled) again(stage string) (compiled, error) {
	c.inputs.NoCache = append(slices.Clone(c.inputs.NoCache), stage)
	graph, err := llb.Compile(c.recipe, c.inputs)
	c.graph = graph
	return c, err
}

func (m *making) runTests(ctx context.Context, gw gateway.Client, c compiled) (end llb.Tested, ref gateway.Reference, err error) {
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: c.graph.Tests, Evaluate: true, CacheImports: gatewayCaches(m.imports())})
	if err != nil {
		return end, nil, m.explainDownload(ctx, gw, &c, err)
	}
	if ref, err = res.SingleRef(); err != nil {
		return end, nil, fmt.Errorf("the result of the tests: %w", err)
	}
	data, err := readFile(ctx, ref, llb.TestEnd)
	if err != nil {
		return end, nil, err
	}
	if err := json.Unmarshal(data, &end); err != nil {
		return end, nil, fmt.Errorf("the end of the tests: %w", err)
	}
	return end, ref, nil
}

// bringReports writes the reports into the directories of the request; of several platforms each has a directory of its own.
func (m *making) bringReports(ctx context.Context, ref gateway.Reference, c compiled) error {
	for _, o := range m.req.Outputs {
		if o.Type != "local" {
			continue
		}
		data, err := readFile(ctx, ref, llb.TestReports)
		if err != nil {
			return err
		}
		dir := strings.ReplaceAll(o.Dir, "{profile}", m.v.Profile)
		if len(m.graphs) > 1 {
			dir = filepath.Join(dir, strings.ReplaceAll(c.recipe.Platform, "/", "_"))
		}
		to, err := unpackInto(dir)
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
func (m *making) testFault(c compiled, end llb.Tested) *fault.Fault {
	f := fault.New(fault.Step, "the tests of profile %s on %s failed: %s ended with exit code %d:\n%s",
		m.v.Profile, c.recipe.Platform, strings.Join(end.Command, " "), end.Exit, lastLines(end.Output, 40))
	switch {
	case end.Exit == 127 || strings.Contains(end.Output, "No module named"):
		f.Hint("what the tests need beside the runtime stands in mlbuild.yaml: testing: {packages: […]}, or requirements or groups")
	case end.Exit == 5 && slices.ContainsFunc(end.Command, func(w string) bool { return strings.HasSuffix(w, "pytest") }):
		f.Hint("pytest found no tests; name them in mlbuild.yaml: testing: {copy: [tests]}")
	}
	if len(c.recipe.Testing.Reports) > 0 && !slices.ContainsFunc(m.req.Outputs, func(o Output) bool { return o.Type == "local" }) {
		f.Hint("--output DIR brings the reports back: %s", strings.Join(c.recipe.Testing.Reports, ", "))
	}
	return f
}
