package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestPushFaults lets a registry refuse uploads in every way. The build itself is the same each time and cached.
func TestPushFaults(t *testing.T) {
	b, reg, p := ownRegistry(t)
	for _, test := range []struct {
		name   string
		status int
		body   string // "" = a page of a proxy
		want   want
	}{
		{"another account", 401, "UNAUTHORIZED", want{code: fault.Auth, says: []string{"the registry rejected the credentials"}, hints: []string{"docker login"}}},
		{"another account, says a proxy", 401, "", want{code: fault.Auth, hints: []string{"docker login"}}},
		{"not allowed", 403, "DENIED", want{code: fault.Denied, says: []string{"the registry refuses these credentials"}, hints: []string{"right to push"}}},
		{"not allowed, says a proxy", 403, "", want{code: fault.Denied, hints: []string{"right to push"}}},
		{"no such repository", 404, "", want{code: fault.Registry, says: []string{"no such repository"}, hints: []string{"create the repository"}}},
		{"too large", 413, "", want{code: fault.Registry, says: []string{"takes no more data"}, hints: []string{"quota", "layers in mlbuild.yaml"}}},
		{"slow down", 429, "TOOMANYREQUESTS", want{code: fault.Registry, says: []string{"asks to slow down"}, hints: []string{"finished steps are cached"}, retry: true}},
		{"broken", 500, "UNKNOWN", want{code: fault.Registry, says: []string{"the registry failed"}, retry: true}},
		{"its own words", 400, "STRANGE", want{code: fault.Registry, says: []string{"the registry refuses it", "a fault of the test"}, hints: []string{"name of the repository"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool { return refuseUpload(w, r, test.status, test.body) })
			t.Cleanup(func() { reg.Fail(nil) })
			test.want.says = append(test.want.says, "push of profile cpu: ")
			test.want.check(t, p.attempt(b, p.request(p.variant("cpu", reg.Ref("team/app:1")))))
			reg.Fail(nil)
			if d, err := reg.Digest(t.Context(), "team/app:1"); err == nil {
				t.Errorf("the tag points at %s after a push that failed", d)
			}
		})
	}
	t.Run("then it works", func(t *testing.T) {
		res := mustBuild(t, b, p.request(p.variant("cpu", reg.Ref("team/app:1"))))
		if d, err := reg.Digest(t.Context(), "team/app:1"); err != nil || d != res.Images[0].Digest {
			t.Errorf("the tag points at %s, %v; the build says %s", d, err, res.Images[0].Digest)
		}
	})
}

// A further tag in a repository that refuses it is a fault too; what was pushed before stays.
func TestFurtherTagRefused(t *testing.T) {
	b, reg, p := ownRegistry(t)
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool { return refuseUpload(w, r, 403, "DENIED") })
	err := p.attempt(b, p.request(p.variant("cpu", reg.Ref("open/app:1"), reg.Ref("open/app:2"), reg.Ref("team/app:1"))))
	want{code: fault.Denied, says: []string{"push of profile cpu", "team/app"}, hints: []string{"right to push"}}.check(t, err)
	for tag, there := range map[string]bool{"open/app:1": true, "open/app:2": true, "team/app:1": false} {
		if _, err := reg.Digest(t.Context(), tag); (err == nil) != there {
			t.Errorf("%s: %v, want it there: %t", tag, err, there)
		}
	}
}

// refuseUpload answers what would change a repository below team/: with an error of the distribution spec, or as a proxy does.
func refuseUpload(w http.ResponseWriter, r *http.Request, status int, code string) bool {
	if !strings.HasPrefix(r.URL.Path, "/v2/team/") || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	body := "<html>a fault of the test</html>"
	if code != "" {
		body = fmt.Sprintf(`{"errors":[{"code":%q,"message":"a fault of the test"}]}`, code)
	}
	http.Error(w, body, status)
	return true
}

// A variant that fails does not stop the others.
func TestOneOfTwoFails(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	ref := tb.Registry.Ref("faults/half:1")
	tinyBase(t, ref, nil)
	p := based(t, ref)
	good, bad := p.variant("cpu", tb.Registry.Ref("faults/half:1-cpu")), p.variant("gpu", tb.Registry.Ref("faults/half:1-gpu"))
	bad.Recipes[0].Base.Ref = tb.Registry.Ref("faults/none:1")
	res, err := b.Build(t.Context(), p.request(good, bad))
	want{code: fault.Base, says: []string{"faults/none:1"}}.check(t, err)
	if len(fault.All(err)) != 1 {
		t.Errorf("%d faults, want one: %v", len(fault.All(err)), err)
	}
	if len(res.Images) != 1 || res.Images[0].Profile != "cpu" || res.Images[0].Digest == "" {
		t.Errorf("images %+v, want the one of cpu", res.Images)
	}
}

// TestNoTag asks for a push to nowhere.
func TestNoTag(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := based(t, tb.Registry.Ref("library/python:3.11-slim"))
	err := p.attempt(b, p.request(p.variant("cpu")))
	want{code: fault.Spec, says: []string{"profile cpu is to be pushed, but has no tag"}, hints: []string{"--tag"}}.check(t, err)

	req := p.quiet(p.variant("cpu"))
	req.Outputs = []builder.Output{{Type: "floppy"}}
	want{code: fault.Usage, says: []string{`unknown output type "floppy"`}, hints: []string{"image, oci, docker, local, tar"}}.check(t, p.attempt(b, req))
}
