package lookup

import (
	"errors"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestOlder(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"2.31", "2.36", true}, {"2.36", "2.31", false}, {"2.9", "2.36", true}, {"2.36", "2.36", false}, {"", "2.36", false}, {"2.31", "", false}} {
		if got := older(test.a, test.b); got != test.want {
			t.Errorf("older(%q, %q) = %t", test.a, test.b, got)
		}
	}
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
		p, err := ParsePlatform("linux/arm64")
		if err != nil {
			t.Fatal(err)
		}
		_, err = asking(t, gw).ImageOf(t.Context(), test.ref, p)
		buildertest.Expect(t, err, test.code, test.retry, test.says)
	}
	p, _ := ParsePlatform("linux/arm64")
	_, err := asking(t, &buildertest.Gateway{OnLookup: buildertest.AnImage}).ImageOf(t.Context(), "registry.example/x:1", p)
	buildertest.Expect(t, err, fault.Platform, false, "has no image for linux/arm64, only linux/amd64")
	_, err = asking(t, &buildertest.Gateway{}).ImageOf(t.Context(), "Upper/Case", p)
	buildertest.Expect(t, err, fault.Ref, false, "Upper/Case")
	_, err = ParsePlatform("amiga/")
	buildertest.Expect(t, err, fault.Platform, false, "amiga/")
}
