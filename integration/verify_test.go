package integration

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestVerify checks images that are in a registry: of mlbuild and of others, right and wrong ones, and one that is not there.
func TestVerify(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	served, broken, bare := tb.Registry.Ref("verify/served:1"), tb.Registry.Ref("verify/broken:1"), tb.Registry.Ref("verify/bare:1")
	pushUnchecked(t, b, newProject(t, map[string]string{
		"main.py": "import numpy, http.server\nhttp.server.ThreadingHTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()\n",
		"mlbuild.yaml": "version: 1\nname: served\npython: {version: \"3.11\", packages: [numpy]}\n" +
			"app: {copy: [main.py], command: [python, main.py], ports: [8000], healthcheck: {http: /, interval: 1s}, stop_signal: SIGINT}\n",
	}), served)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "broken", "1.0", "py3-none-any", map[string]string{"broken.py": "import os\nraise ImportError('no luck in ' + os.environ['HOME'])\n"})
	pushUnchecked(t, b, indexed(t, x, "broken", ""), broken)
	tinyBase(t, bare, nil)
	nobody := tb.Registry.Ref("verify/nobody:1")
	pushAs(t, tb.Registry, bare, nobody, "web")
	for _, test := range []struct {
		name     string
		req      builder.VerifyRequest
		packages evidence.State
		service  evidence.State
		want     want // no code = the image is right
	}{
		{"of mlbuild", builder.VerifyRequest{Image: served}, evidence.Passed, evidence.Passed, want{}},
		{"again", builder.VerifyRequest{Image: served}, evidence.Reused, evidence.Reused, want{}},
		{"of others", builder.VerifyRequest{Image: "python:3.11-slim"}, evidence.Passed, evidence.None, want{}},
		{"without Python", builder.VerifyRequest{Image: bare}, evidence.None, evidence.None, want{}},
		{"a package that does not import", builder.VerifyRequest{Image: broken, Checks: builder.CheckPackages}, evidence.Failed, evidence.Off,
			want{code: check.Code, says: []string{"the image " + broken + " does not work: broken cannot be imported: ImportError: no luck in /home/app"}, hints: []string{"--skip broken"}}},
		{"whose user is not in it", builder.VerifyRequest{Image: nobody}, evidence.NotRun, evidence.None, want{code: check.Code, says: []string{"its user is web, which its /etc/passwd does not have"}, hints: []string{"as a number"}}},
		{"that is not there", builder.VerifyRequest{Image: tb.Registry.Ref("verify/none:1")}, "", "", want{code: fault.Base, says: []string{"cannot find " + tb.Registry.Ref("verify/none:1")}}},
		{"no reference", builder.VerifyRequest{Image: "Upper Case"}, "", "", want{code: fault.Ref, says: []string{`the image "Upper Case"`}, hints: []string{"for example"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.req.Status = printer(t)
			got, err := b.Verify(t.Context(), test.req)
			if test.want.code == "" && err != nil {
				t.Fatal(err)
			}
			if test.want.code != "" {
				test.want.check(t, err)
			}
			states := map[evidence.Name]evidence.State{}
			for _, c := range got.Checks {
				states[c.Name] = c.State
				if c.State == evidence.Passed && c.Seconds == 0 {
					t.Errorf("%+v", c)
				}
				t.Logf("%+v", c)
			}
			if states[evidence.Packages] != test.packages || states[evidence.Service] != test.service {
				t.Errorf("the packages are %q and the service %q, want %q and %q", states[evidence.Packages], states[evidence.Service], test.packages, test.service)
			}
			if found := strings.HasPrefix(got.Digest, "sha256:"); found != (test.packages != "") {
				t.Errorf("the digest is %q", got.Digest)
			}
		})
	}
}

// pushUnchecked pushes an image whatever is in it.
func pushUnchecked(t *testing.T, b *builder.Builder, p *project, ref string) {
	t.Helper()
	mustBuild(t, b, p.request(p.variant("cpu", ref)))
}

// pushAs pushes an image once more, with another user.
func pushAs(t *testing.T, reg *testbed.Registry, from, to, user string) {
	t.Helper()
	img := readBack(t, reg, from[len(reg.Addr)+1:]).img
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Config.User = user
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}
