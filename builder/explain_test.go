package builder

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// TestExplain feeds the texts of BuildKit v0.33, containerd and Go.
func TestExplain(t *testing.T) {
	const push = "failed to solve: failed to push registry.example/team/app:1: "
	const upload = push + "unexpected status from POST request to https://registry.example/v2/team/app/blobs/uploads/?mount=sha256:401403429&from=x: "
	for _, test := range []struct {
		text  string
		code  fault.Code
		retry bool
		says  string
	}{
		{"failed to solve: write /var/lib/buildkit/x: no space left on device", fault.Disk, false, "buildctl prune"},
		{`Get "https://files.example/x.whl": tls: failed to verify certificate: x509: certificate signed by unknown authority`, fault.CA, false, "start it with SSL_CERT_FILE"},
		{"granting entitlement network.host is not allowed by build daemon configuration", fault.Entitlement, false, "insecure-entitlements"},
		{"failed to solve: security.insecure is not allowed: entitlement security.insecure is not allowed", fault.Entitlement, false, "buildkitd.toml"},
		{"CDI device nvidia.com/gpu=all not found", fault.Entitlement, false, "the daemon does not grant"},
		{`process "/bin/sh -c apt-get update" did not complete successfully: exec /bin/sh: exec format error`, fault.Platform, false, "qemu-user-static"},
		{"no active session for 8s7d: context deadline exceeded", fault.DaemonLost, true, "run the same command again"},
		{"rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /run/x: connect: connection refused\"", fault.DaemonLost, true, "a connection broke"},
		{"rpc error: code = Unavailable desc = error reading from server: read unix: connection reset by peer", fault.DaemonLost, true, "finished steps are cached"},
		{`failed to compute cache key: failed to calculate checksum of ref 7d::x: "/main.py": not found`, fault.Context, false, "main.py"},
		{"lstat src/app.py: no such file or directory", fault.Context, false, "a file of the project is missing: src/app.py"},
		{`process "/mlbuild-unpack account" did not complete successfully: open /etc: no such file or directory`, fault.Step, false, "a step of profile cpu ended with an error"},
		{"something new", fault.Internal, false, "build of profile cpu: something new"},

		{push + "unauthorized: authentication required", fault.Auth, false, "docker login"},
		{push + "failed to authorize: failed to fetch oauth token: unexpected status", fault.Auth, false, "push of profile cpu"},
		{push + "denied: requested access to the resource is denied", fault.Denied, false, "ask for the right"},
		{push + "server message: insufficient_scope: authorization failed", fault.Auth, false, "docker login"},
		{push + "toomanyrequests: too many requests", fault.Registry, true, "slow down"},
		{push + "unknown: repository name not known to registry", fault.Registry, false, "create the repository"},
		{push + "denied: adding 30 MiB of storage resource will exceed the configured upper limit", fault.Registry, false, "quota"},
		{push + "write tcp 10.0.0.1:5->10.0.0.2:443: write: broken pipe", fault.Registry, true, "the registry failed"},
		{push + `do request: Post "https://registry.example/": dial tcp: connect: connection refused`, fault.Registry, true, "the registry failed"},
		{push + `do request: Post "https://registry.example/": tls: failed to verify certificate: x509: certificate has expired`, fault.CA, false, "ca= for the registry"},
		{upload + "401 Unauthorized", fault.Auth, false, "docker login"},
		{upload + "403 Forbidden", fault.Denied, false, "ask for the right"},
		{upload + "404 Not Found", fault.Registry, false, "no such repository"},
		{upload + "413 Request Entity Too Large", fault.Registry, false, "layers in mlbuild.yaml"},
		{upload + "429 Too Many Requests", fault.Registry, true, "slow down"},
		{upload + "502 Bad Gateway", fault.Registry, true, "the registry failed"},
		{upload + "507 Insufficient Storage", fault.Registry, false, "free space"},
		{upload + "418 I'm a teapot", fault.Registry, false, "the registry refuses it"},
	} {
		t.Run(test.text, func(t *testing.T) {
			err := errors.New(test.text)
			got := running(t, Request{}).failed("cpu").Explain(err)
			buildertest.Expect(t, got, test.code, test.retry, test.says)
			if !errors.Is(got, err) {
				t.Error("the cause is lost")
			}
		})
	}
}

// failing is a build whose step wrote something and ended with an exit code.
func failing(t *testing.T, output string) (*build, error) {
	t.Helper()
	b, step := running(t, Request{}), digest.FromString("step")
	b.watch("cpu").Keep(&bkclient.SolveStatus{
		Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[system] install"}, {Digest: digest.FromString("other"), Name: "other", Error: "other"}},
		Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte(output)}},
	})
	return b, errdefs.WrapVertex(fmt.Errorf("process did not complete: %w", &gatewaypb.ExitError{ExitCode: 100}), step)
}

func TestExplainStep(t *testing.T) {
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("line %d", i))
	}
	b, err := failing(t, strings.Join(lines, "\n")+"\n")
	got := b.failed("cpu").Explain(err)
	buildertest.Expect(t, got, fault.Step, false, `step "[system] install" of profile cpu ended with exit code 100:`, "line 10\n", "line 29")
	if strings.Contains(got.Error(), "line 9\n") {
		t.Errorf("more than the last 20 lines:\n%v", got)
	}

	b, err = failing(t, "dpkg: error: No space left on device\n")
	buildertest.Expect(t, b.failed("cpu").Explain(err), fault.Disk, false, "the daemon's disk is full")

	b, err = failing(t, "")
	buildertest.Expect(t, b.failed("cpu").Explain(err), fault.Step, false, "ended with exit code 100: process did not complete")

	b, err = failing(t, "E-WHEEL-UNSAFE: a.whl: \"../x\": its name has a part ..\nnoise\n E-WHEEL-UNSAFE: a.whl: \"b\": it is there twice\n")
	all := fault.All(b.failed("cpu").Explain(err))
	if len(all) != 2 || all[0].Code != fault.WheelUnsafe || all[1].Message != `a.whl: "b": it is there twice` || len(all[1].Hints) == 0 {
		t.Errorf("got %v", all)
	}

	b, err = failing(t, "E-DEB-UNSAFE: x.deb: \"../x\": its name has a part ..\nE-DEB: y 1.0 is for arm64, the image for amd64\nE-DEB: /usr/bin/z is there already\n")
	all = fault.All(b.failed("cpu").Explain(err))
	if len(all) != 3 || all[0].Code != fault.DebUnsafe || all[1].Code != fault.Deb || !strings.Contains(all[1].Hints[0], "mlbuild lock --upgrade system") ||
		!strings.Contains(all[2].Hints[0], "strategy: apt") {
		t.Errorf("got %v", all)
	}
}

func TestExplainPasses(t *testing.T) {
	b := running(t, Request{})
	if b.failed("cpu").Explain(nil) != nil {
		t.Error("no error became one")
	}
	f := fault.New(fault.Wheel, "no wheel")
	if got := b.failed("cpu").Explain(f); !errors.Is(got, f) || len(fault.All(got)) != 1 {
		t.Errorf("a fault became %v", got)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	b.ctx = ctx
	cancel(fault.New(fault.DaemonLost, "went silent").Retryable())
	buildertest.Expect(t, b.failed("cpu").Explain(errors.New("context canceled")), fault.DaemonLost, true, "went silent")

	ctx, stop := context.WithCancel(t.Context())
	b.ctx = ctx
	stop()
	buildertest.Expect(t, b.failed("cpu").Explain(errors.New("rpc error: code = Canceled")), fault.Cancelled, false, "the build was stopped")
}

// TestExplainMismatch answers the question what a server sends now in every way.
func TestExplainMismatch(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python:\n  packages: [x]\n  indexes: [{name: own, url: \"https://files.example/simple\", secret: account}]\n")
	good, bad := digest.FromString("good"), digest.FromString("bad")
	w := pylock.Wheel{Name: "x", Filename: "x-1-py3-none-any.whl", URL: "https://files.example/x-1-py3-none-any.whl", SHA256: good.Encoded()}
	failed := fmt.Errorf("digest mismatch %s: %s", bad, good)
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
			got := running(t, Request{}).failed("cpu").Download(t.Context(), &buildertest.Gateway{OnLookup: test.lookup}, r, (&found{recipe: r, wheels: []pylock.Wheel{w}}).downloads(), failed)
			buildertest.Expect(t, got, test.code, test.retry, test.says...)
			if passes(got) != (test.retry && test.code == fault.Download) {
				t.Errorf("tried again: %t", passes(got))
			}
		})
	}
	got := running(t, Request{}).failed("cpu").Download(t.Context(), &buildertest.Gateway{}, r, (&found{recipe: r}).downloads(), failed)
	buildertest.Expect(t, got, fault.Digest, false, "a download is not what the lock promises")
}

func TestExplainBase(t *testing.T) {
	const zero = "registry.example/x@sha256:" + buildertest.Zeros
	for _, test := range []struct {
		ref, text string
		code      fault.Code
		retry     bool
		says      string
	}{
		{"registry.example/x:1", "no match for platform in manifest sha256:1: not found", fault.Platform, false, "registry.example/x:1 has no image for linux/arm64"},
		{zero, "registry.example/x: not found", fault.BaseGone, false, "the pinned image"},
		{zero, "image digest sha256:1 for x does not match expected checksum sha256:0", fault.BaseGone, false, "is gone or was replaced"},
		{"registry.example/x:1", "registry.example/x:1: not found", fault.Base, false, "it does not exist, or it is private"},
		{"docker.io/library/x:1", "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", fault.Base, false, "docker login docker.io"},
		{"registry.example/x:1", "tls: failed to verify certificate: x509: certificate signed by unknown authority", fault.CA, false, "ca= for the registry"},
		{"registry.example/x:1", "dial tcp: lookup registry.example: no such host", fault.Base, true, "cannot look up registry.example/x:1"},
	} {
		gw := &buildertest.Gateway{OnLookup: func(*pb.SourceOp) (*sourceresolver.MetaResponse, error) { return nil, errors.New(test.text) }}
		p, err := parsePlatform("linux/arm64")
		if err != nil {
			t.Fatal(err)
		}
		_, err = lookupImage(t.Context(), gw, test.ref, p)
		buildertest.Expect(t, err, test.code, test.retry, test.says)
	}
	p, _ := parsePlatform("linux/arm64")
	_, err := lookupImage(t.Context(), &buildertest.Gateway{OnLookup: buildertest.AnImage}, "registry.example/x:1", p)
	buildertest.Expect(t, err, fault.Platform, false, "has no image for linux/arm64, only linux/amd64")
	_, err = lookupImage(t.Context(), &buildertest.Gateway{}, "Upper/Case", p)
	buildertest.Expect(t, err, fault.Ref, false, "Upper/Case")
	_, err = parsePlatform("amiga/")
	buildertest.Expect(t, err, fault.Platform, false, "amiga/")
}

// TestAFailedStepIsKnownByItsVertex: what a graph says of the vertex counts, and not the name that people read.
func TestAFailedStepIsKnownByItsVertex(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\nmodels: [{name: m, url: \"https://models.example/m.tar\", unpack: true}]\n")
	w := pylock.Wheel{Name: "x", Filename: "x-1-py3-none-any.whl", URL: "https://files.example/x-1-py3-none-any.whl", SHA256: digest.FromString("x").Encoded()}
	c := &found{recipe: r, wheels: []pylock.Wheel{w}, models: []buildlock.Model{{Name: "m", Files: []buildlock.ModelFile{{}}}}}
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
			b := running(t, Request{})
			logs := b.watch("cpu")
			logs.Learn(ops.Steps{step: test.is})
			logs.Keep(&bkclient.SolveStatus{
				Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[download] " + w.Filename}},
				Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte(test.said)}},
			})
			got := b.failed("cpu").Download(t.Context(), &buildertest.Gateway{}, r, c.downloads(), errdefs.WrapVertex(errors.New(test.text), step))
			buildertest.Expect(t, got, test.code, false, test.says)
		})
	}
}
