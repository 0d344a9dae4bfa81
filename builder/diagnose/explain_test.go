package diagnose

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
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
		{"unknown scheme git: not found", fault.Entitlement, false, "install git"},
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
			got := quiet().Explain(err)
			buildertest.Expect(t, got, test.code, test.retry, test.says)
			if !errors.Is(got, err) {
				t.Error("the cause is lost")
			}
		})
	}
}

// quiet is a build of profile cpu of which nothing is known but the error.
func quiet() Build { return Build{Profile: "cpu", Logs: NewWatcher(nil)} }

// failing is a build whose step wrote something and ended with an exit code.
func failing(output string) (Build, error) {
	b, step := quiet(), digest.FromString("step")
	b.Logs.Keep(&bkclient.SolveStatus{
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
	b, err := failing(strings.Join(lines, "\n") + "\n")
	got := b.Explain(err)
	buildertest.Expect(t, got, fault.Step, false, `step "[system] install" of profile cpu ended with exit code 100:`, "line 10\n", "line 29")
	if strings.Contains(got.Error(), "line 9\n") {
		t.Errorf("more than the last 20 lines:\n%v", got)
	}

	b, err = failing("dpkg: error: No space left on device\n")
	buildertest.Expect(t, b.Explain(err), fault.Disk, false, "the daemon's disk is full")

	b, err = failing("")
	buildertest.Expect(t, b.Explain(err), fault.Step, false, "ended with exit code 100: process did not complete")

	b, err = failing("E-WHEEL-UNSAFE: a.whl: \"../x\": its name has a part ..\nnoise\n E-WHEEL-UNSAFE: a.whl: \"b\": it is there twice\n")
	all := fault.All(b.Explain(err))
	if len(all) != 2 || all[0].Code != fault.WheelUnsafe || all[1].Message != `a.whl: "b": it is there twice` || len(all[1].Hints) == 0 {
		t.Errorf("got %v", all)
	}

	b, err = failing("E-DEB-UNSAFE: x.deb: \"../x\": its name has a part ..\nE-DEB: y 1.0 is for arm64, the image for amd64\nE-DEB: /usr/bin/z is there already\n")
	all = fault.All(b.Explain(err))
	if len(all) != 3 || all[0].Code != fault.DebUnsafe || all[1].Code != fault.Deb || !strings.Contains(all[1].Hints[0], "mlbuild lock --upgrade system") ||
		!strings.Contains(all[2].Hints[0], "strategy: apt") {
		t.Errorf("got %v", all)
	}
}

func TestExplainPasses(t *testing.T) {
	b := quiet()
	if b.Explain(nil) != nil {
		t.Error("no error became one")
	}
	f := fault.New(fault.Wheel, "no wheel")
	if got := b.Explain(f); !errors.Is(got, f) || len(fault.All(got)) != 1 {
		t.Errorf("a fault became %v", got)
	}
	b.Stopped = fault.New(fault.DaemonLost, "went silent").Retryable()
	buildertest.Expect(t, b.Explain(errors.New("context canceled")), fault.DaemonLost, true, "went silent")

	b.Stopped = context.Canceled
	buildertest.Expect(t, b.Explain(errors.New("rpc error: code = Canceled")), fault.Cancelled, false, "the build was stopped")
}
