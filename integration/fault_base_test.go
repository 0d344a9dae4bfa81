package integration

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	layertypes "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/session/auth/authprovider"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// based is a project without packages on a base.
func based(t *testing.T, ref string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		"main.py":      "print('hello')\n",
		"mlbuild.yaml": "version: 1\nname: based\npython: {packages: []}\nuser: root\nbase: {image: \"" + ref + "\", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\napp: {copy: [main.py], command: [python, main.py]}\n",
	})
}

// ownRegistry is a registry that only this test's project uses: it stands on a tiny base from there.
func ownRegistry(t *testing.T) (*builder.Builder, *testbed.Registry, *project) {
	t.Helper()
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	tinyBase(t, reg.Ref("faults/base:1"), nil)
	return connect(t, testbed.Shared(t).Daemon.Addr()), reg, based(t, reg.Ref("faults/base:1"))
}

func TestBaseFaults(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	private := testbed.NewRegistry(t, testbed.RegistryOptions{Auth: &testbed.BasicAuth{User: "u", Password: "p"}})
	const no = "@sha256:00000000000000000000000000000000000000000000000000000000000000aa"
	for _, test := range []struct {
		name, ref, platform string
		want                want
	}{
		{"no such repository", tb.Registry.Ref("no/such:1"), "linux/amd64", want{code: fault.Base,
			says: []string{"cannot find " + tb.Registry.Ref("no/such:1"), "it does not exist, or it is private"}, hints: []string{"check the name", "docker login " + tb.Registry.Addr}}},
		{"no such tag", tb.Registry.Ref("library/python:0.1"), "linux/amd64", want{code: fault.Base, says: []string{"library/python:0.1", "it does not exist, or it is private"}}},
		{"private", private.Ref("team/base:1"), "linux/amd64", want{code: fault.Base,
			says: []string{"cannot find " + private.Ref("team/base:1"), "or it is private and the credentials"}, hints: []string{"docker login " + private.Addr}}},
		{"the pinned digest is gone", tb.Registry.Ref("library/python" + no), "linux/amd64", want{code: fault.BaseGone,
			says: []string{"the pinned image", no, "is gone or was replaced"}, hints: []string{"name a tag"}}},
		{"the pinned digest is gone, with a tag", tb.Registry.Ref("library/python:3.11-slim" + no), "linux/amd64", want{code: fault.BaseGone, says: []string{"the pinned image"}}},
		{"no such platform", "docker.io/library/amd64only:1", "linux/arm64", want{code: fault.Platform,
			says: []string{"docker.io/library/amd64only:1 has no image for linux/arm64"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := based(t, test.ref)
			test.want.check(t, p.attempt(b, p.quiet(p.variantOn("cpu", []string{test.platform}))))
		})
	}
}

// tinyBase pushes an image with one layer of its own and returns its digest: enough of a base where nothing runs. A nil account is none.
func tinyBase(t *testing.T, ref string, account authn.Authenticator) string {
	t.Helper()
	l, err := random.Layer(1024, layertypes.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	return pushBase(t, ref, account, l)
}

// pushBase pushes an image of one layer and returns its digest.
func pushBase(t *testing.T, ref string, account authn.Authenticator, l v1.Layer) string {
	t.Helper()
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: "a test"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cfg.OS, cfg.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	opts := []remote.Option{remote.WithContext(t.Context())}
	if account != nil {
		opts = append(opts, remote.WithAuth(account))
	}
	if err := remote.Write(to, img, opts...); err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// A base that is pinned to a digest stays what it is when its tag moves.
func TestPinnedBaseOutlivesItsTag(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	ref := tb.Registry.Ref("faults/moved:1")
	old := tinyBase(t, ref, nil)
	if tinyBase(t, ref, nil) == old {
		t.Fatal("the tag did not move")
	}
	based(t, ref+"@"+old).succeeds(b)
}

// asked records for which hosts the daemon wanted credentials, and gives one account.
type asked struct {
	mu    sync.Mutex
	hosts []string
}

func (a *asked) provider(user, password string) authprovider.AuthConfigProvider {
	return func(_ context.Context, host string, _ []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hosts = append(a.hosts, host)
		return types.AuthConfig{Username: user, Password: password}, nil
	}
}

// TestCredentialsGoToNamedHosts builds on a private base and pushes to a private registry; nobody else's credentials are asked for.
func TestCredentialsGoToNamedHosts(t *testing.T) {
	private := testbed.NewRegistry(t, testbed.RegistryOptions{Auth: &testbed.BasicAuth{User: "u", Password: "p"}})
	tinyBase(t, private.Ref("team/base:1"), &authn.Basic{Username: "u", Password: "p"})
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	p := based(t, private.Ref("team/base:1"))
	req := p.request(p.variant("cpu", private.Ref("team/app:1")))
	var a asked
	req.Auth = a.provider("u", "p")
	mustBuild(t, b, req)
	if _, err := private.Digest(t.Context(), "team/app:1"); err != nil {
		t.Error(err)
	}
	for _, h := range a.hosts {
		if h != private.Addr && !strings.HasSuffix(h, "docker.io") && !strings.HasPrefix(h, "https://index.docker.io") {
			t.Errorf("credentials of %s were asked for", h)
		}
	}
	if !slices.Contains(a.hosts, private.Addr) {
		t.Errorf("hosts asked for: %v, want %s among them", a.hosts, private.Addr)
	}

	req.Auth = (&asked{}).provider("u", "wrong")
	req.Variants = []builder.Variant{p.variant("cpu", private.Ref("team/other:1"))}
	_, err := b.Build(t.Context(), req)
	want{code: fault.Base, says: []string{"the credentials of the docker config do not open it"}, hints: []string{"docker login"}}.check(t, err)
}
