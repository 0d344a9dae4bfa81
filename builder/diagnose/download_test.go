package diagnose_test

import (
	"errors"
	"fmt"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/lookup"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// TestExplainMismatch answers the question what a server sends now in every way.
func TestExplainMismatch(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python:\n  packages: [x]\n  indexes: [{name: own, url: \"https://files.example/simple\", secret: account}]\n")
	good, bad := digest.FromString("good"), digest.FromString("bad")
	w := pylock.Wheel{Name: "x", Filename: "x-1-py3-none-any.whl", URL: "https://files.example/x-1-py3-none-any.whl", SHA256: good.Encoded()}
	failed := fmt.Errorf("digest mismatch %s: %s", bad, good)
	found, build := lookup.Found{Recipe: r, Packages: lookup.Packages{Runtime: lookup.Choice{Wheels: []pylock.Wheel{w}}}}, diagnose.Build{Profile: "cpu", Logs: diagnose.NewWatcher(nil)}
	now := func(d digest.Digest) func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		return func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
			if op.Identifier != w.URL || op.Attrs[pb.AttrHTTPAuthHeaderSecret] != "mlbuild-auth-own" {
				t.Errorf("asked for %v", op)
			}
			return &sourceresolver.MetaResponse{HTTP: &sourceresolver.ResolveHTTPResponse{Digest: d}}, nil
		}
	}
	answers := func(text string) func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		return func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New(text) }
	}
	for _, test := range []struct {
		name   string
		lookup func(*pb.SourceOp) (*sourceresolver.MetaResponse, error)
		code   fault.Code
		retry  bool
		says   []string
	}{
		{"republished", now(bad), fault.Digest, false, []string{w.URL, bad.String(), good.String(), "mlbuild lock --upgrade x"}},
		{"recovered", now(good), fault.Download, true, []string{w.URL, "now the right file"}},
		{"401", answers("invalid response status 401"), fault.Download, false, []string{"answers 401", "--secret"}},
		{"403", answers("invalid response status 403"), fault.Download, false, []string{"answers 403", "--secret"}},
		{"404", answers("invalid response status 404"), fault.Download, false, []string{"answers 404", "mlbuild lock --upgrade x"}},
		{"410", answers("invalid response status 410"), fault.Download, false, []string{"answers 410", "gone"}},
		{"418", answers("invalid response status 418"), fault.Download, false, []string{"answers 418"}},
		{"429", answers("invalid response status 429"), fault.Download, true, []string{"answers 429", "later"}},
		{"500", answers("invalid response status 500"), fault.Download, true, []string{"answers 500", "later"}},
		{"gone away", answers("dial tcp: i/o timeout"), fault.Download, true, []string{w.URL, "i/o timeout"}},
		{"its CA", answers("x509: certificate signed by unknown authority"), fault.CA, false, []string{"SSL_CERT_FILE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := build.Download(t.Context(), &buildertest.Gateway{OnLookup: test.lookup}, r, found.Downloads(), failed)
			buildertest.Expect(t, got, test.code, test.retry, test.says...)
		})
	}
	got := build.Download(t.Context(), &buildertest.Gateway{}, r, lookup.Found{Recipe: r}.Downloads(), failed)
	buildertest.Expect(t, got, fault.Digest, false, "a download is not what the lock promises")
}

// TestAFailedStepIsKnownByItsVertex: what a graph says of the vertex counts, and not the name that people read.
func TestAFailedStepIsKnownByItsVertex(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\nmodels: [{name: m, url: \"https://models.example/m.tar\", unpack: true}]\n")
	w := pylock.Wheel{Name: "x", Filename: "x-1-py3-none-any.whl", URL: "https://files.example/x-1-py3-none-any.whl", SHA256: digest.FromString("x").Encoded()}
	found := lookup.Found{Recipe: r, Packages: lookup.Packages{Runtime: lookup.Choice{Wheels: []pylock.Wheel{w}}}, Models: []buildlock.Model{{Name: "m", Files: []buildlock.ModelFile{{}}}}}
	step := digest.FromString("step")
	for _, test := range []struct {
		name       string
		is         ops.Step
		said, text string
		code       fault.Code
		says       string
	}{
		{"a wheel", ops.Step{Kind: ops.StepDownload, Name: w.Filename}, "", "invalid response status 404", fault.Download, w.URL + ": the server answers 404"},
		{"an archive", ops.Step{Kind: ops.StepUnpackModel, Name: "m"}, "mlbuild: it is no archive", "exit code: 1", fault.Context, "cannot unpack https://models.example/m.tar: it is no archive"},
		{"a copy", ops.Step{Kind: ops.StepCopy, Title: "copy /a of app"}, "", "lstat /a: no such file or directory", fault.Context, "copy /a of app: nothing is at /a there"},
		{"a checkout", ops.Step{Kind: ops.StepCheckout, Name: "y"}, "", "failed to fetch remote https://git.example/y: git stderr:\ngone", fault.Download, "git+ssh://git@host"},
		{"a wheel that is built", ops.Step{Kind: ops.StepBuildWheel, Name: "y", Title: "wheel of y 1"}, "no", "exit code: 1", fault.Step, "the wheel of y 1 cannot be built"},
		{"none that is known", ops.Step{}, "no", "exit code: 1", fault.Step, `step "[download] x-1-py3-none-any.whl" of profile cpu`},
	} {
		t.Run(test.name, func(t *testing.T) {
			logs := diagnose.NewWatcher(nil)
			logs.Learn(ops.Steps{step: test.is})
			logs.Keep(&bkclient.SolveStatus{
				Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[download] " + w.Filename}},
				Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte(test.said)}},
			})
			got := diagnose.Build{Profile: "cpu", Logs: logs}.Download(t.Context(), &buildertest.Gateway{}, r, found.Downloads(), errdefs.WrapVertex(errors.New(test.text), step))
			buildertest.Expect(t, got, test.code, false, test.says)
		})
	}
}

// A .deb that its mirror has deleted.
func TestExplainSystemDownload(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", buildertest.SomeSystem)
	deb := buildlock.Package{Name: "libgomp1", Version: "1:1+b", URL: "http://deb.example/pool/libgomp1_1%2bb_amd64.deb", SHA256: digest.FromString("deb").Encoded()}
	found, build := lookup.Found{Recipe: r, System: lookup.SystemPackages{List: &buildlock.System{Packages: []buildlock.Package{deb}}}}, diagnose.Build{Profile: "cpu", Logs: diagnose.NewWatcher(nil)}
	failed := fmt.Errorf("digest mismatch %s: sha256:%s", digest.FromString("an error page"), deb.SHA256)
	for _, test := range []struct {
		answer string
		code   fault.Code
		retry  bool
		says   []string
	}{
		{"invalid response status 404", fault.Download, false, []string{deb.URL, "answers 404", "mlbuild lock --upgrade system", "system.snapshot"}},
		{"invalid response status 503", fault.Download, true, []string{"answers 503"}},
		{"invalid response status 401", fault.Download, false, []string{"a password"}},
	} {
		gw := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New(test.answer) }}
		buildertest.Expect(t, build.Download(t.Context(), gw, r, found.Downloads(), failed), test.code, test.retry, test.says...)
	}
	gw := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		return &sourceresolver.MetaResponse{HTTP: &sourceresolver.ResolveHTTPResponse{Digest: digest.FromString("other")}}, nil
	}}
	buildertest.Expect(t, build.Download(t.Context(), gw, r, found.Downloads(), failed), fault.Digest, false, deb.URL+" has changed", "mlbuild lock --upgrade system")
	if deb.File() != "libgomp1_1+b_amd64.deb" {
		t.Errorf("its file is %s", deb.File())
	}
}
