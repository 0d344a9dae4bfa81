package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/session/auth/authprovider"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestWhatRegistriesAnswer: a push that fails is told by status and code, by the standard's own messages as by a registry's, whatever the repository is called.
func TestWhatRegistriesAnswer(t *testing.T) {
	b, reg, p := ownRegistry(t)
	said := func(code, message string) string {
		return fmt.Sprintf(`{"errors":[{"code":%q,"message":%q}]}`, code, message)
	}
	for _, test := range []struct {
		name, repo, methods string
		status              int
		body                string
		want                want
	}{
		{"401 in the standard's words", "team/app", "POST", 401, said("UNAUTHORIZED", "authentication required"), want{code: fault.Auth, hints: []string{"docker login " + reg.Addr}}},
		{"403 in the standard's words", "team/app", "POST", 403, said("DENIED", "requested access to the resource is denied"), want{code: fault.Denied, hints: []string{"right to push"}}},
		{"429 in the standard's words", "team/app", "POST", 429, said("TOOMANYREQUESTS", "too many requests"), want{code: fault.Registry, says: []string{"slow down"}, retry: true}},
		{"429 with a code of its own", "team/app", "POST", 429, said("SLOW", "not so fast"), want{code: fault.Registry, says: []string{"slow down"}, hints: []string{"Retry-After: 30"}, retry: true}},
		{"401 with a code of its own", "team/app", "POST", 401, said("EXPIRED", "own words"), want{code: fault.Auth, hints: []string{"docker login " + reg.Addr}}},
		{"503 for a repository called quota", "team/quota/app", "POST", 503, "busy", want{code: fault.Registry, says: []string{"the registry failed"}, retry: true}},
		{"403 for a repository called quota", "team/quota/app", "POST", 403, "", want{code: fault.Denied}},
		{"too many images", "team/app", "PUT", 403, said("DENIED", "The repository with name 'team/app' already has the maximum allowed number of images which is 10000"), want{code: fault.Registry, says: []string{"takes no more data"}, hints: []string{"quota"}}},
		{"the registry's disk", "team/app", "PUT", 500, `{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"filesystem: write /var/lib/registry/x: no space left on device"}]}`,
			want{code: fault.Registry, says: []string{"the registry takes no more data"}, hints: []string{"free space"}}},
		{"no such project", "team/app", "POST", 404, said("NAME_UNKNOWN", "project team not found"), want{code: fault.Registry, says: []string{"no such repository"}, hints: []string{"create the repository or its project"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, "/v2/team/") || r.Method != test.methods {
					return false
				}
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
				return true
			})
			t.Cleanup(func() { reg.Intercept(nil) })
			test.want.check(t, p.attempt(b, p.request(p.variant("cpu", reg.Ref(test.repo+":1")))))
		})
	}
}

// TestImmutableTags: another image under a tag that is fixed, in the words of four registries, and a cache that can be written only once.
func TestImmutableTags(t *testing.T) {
	b, reg, p := ownRegistry(t)
	req := p.request(p.variant("cpu", reg.Ref("team/app:1")))
	mustBuild(t, b, req)
	t.Cleanup(func() { reg.Intercept(nil) })
	for i, answer := range []struct {
		status int
		body   string
	}{
		{400, `{"errors":[{"code":"TAG_INVALID","message":"The image tag '1' already exists in the 'team/app' repository and cannot be overwritten because the repository is immutable."}]}`},
		{412, `{"errors":[{"code":"PRECONDITION","message":"Failed to process request due to 'team/app:1' configured as immutable."}]}`},
		{405, `{"errors":[{"code":"UNSUPPORTED","message":"The operation is disallowed on this registry, repository or image."}]}`},
		{409, ""},
	} {
		p.write("main.py", fmt.Sprintf("print(%d)\n", i))
		reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, "/v2/team/app/manifests/1") {
				return false
			}
			w.WriteHeader(answer.status)
			_, _ = io.WriteString(w, answer.body)
			return true
		})
		want{code: fault.Registry, says: []string{"the registry refuses it"}, hints: []string{"push under a new one"}}.check(t, p.attempt(b, req))
	}

	for _, answer := range []int{400, 403, 405} {
		repo := fmt.Sprintf("team/cache%d", answer)
		reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, "/v2/"+repo+"/manifests/buildcache-cpu") {
				return false
			}
			http.Error(w, `{"errors":[{"code":"TAG_INVALID","message":"cannot be overwritten"}]}`, answer)
			return true
		})
		res := mustBuild(t, b, p.request(p.variant("cpu", reg.Ref(repo+":1"))))
		notes := strings.Join(res.Images[0].Notes, "\n")
		for _, tag := range []string{":buildcache-cpu", ":" + recordTag} {
			if !strings.Contains(notes, reg.Ref(repo)+tag+" could not be written") {
				t.Errorf("that %s stays as it was is not said: %q", tag, notes)
			}
		}
		if d, err := reg.Digest(t.Context(), repo+":1"); err != nil || d != res.Images[0].Digest {
			t.Errorf("the tag points at %s, %v", d, err)
		}
	}
}

// tokens is a registry's token service with one account, alice:right, that may do everything with team/.
type tokens struct{ asked atomic.Int32 }

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	_ = r.ParseForm()
	user, password, _ := r.BasicAuth()
	if r.Method == http.MethodPost {
		user, password = r.Form.Get("username"), r.Form.Get("password")
	}
	switch {
	case user != "alice" || password != "right":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}`)
	case strings.Contains(strings.Join(r.Form["scope"], " "), "theirs/"):
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`)
	default:
		_, _ = io.WriteString(w, `{"token": "good", "access_token": "good", "expires_in": 300}`)
	}
}

// wantToken has a registry ask for a token of a service.
func wantToken(reg *testbed.Registry, realm string) {
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
		repo, _, _ = strings.Cut(repo, "/blobs/")
		if strings.HasPrefix(repo, "faults/") || r.Header.Get("Authorization") == "Bearer good" {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="s",scope="repository:%s:pull,push"`, realm, repo))
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
		return true
	})
}

func account(user, password string) authprovider.AuthConfigProvider {
	return func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		return types.AuthConfig{Username: user, Password: password}, nil
	}
}

// TestTokenService: a login that is missing, wrong or not enough is said before anything is sent, with the registry's name.
func TestTokenService(t *testing.T) {
	b, reg, p := ownRegistry(t)
	service := httptest.NewServer(&tokens{})
	t.Cleanup(service.Close)
	wantToken(reg, service.URL)
	for _, test := range []struct {
		name, repo, user, password, says string
	}{
		{"no login", "team/app", "", "", "wants a login, and there is none"},
		{"a wrong one", "team/app", "alice", "wrong", "rejected the credentials for " + reg.Addr},
		{"not enough", "theirs/app", "alice", "right", "rejected the credentials for " + reg.Addr},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := p.request(p.variant("cpu", reg.Ref(test.repo+":1")))
			req.Auth = account(test.user, test.password)
			reg.Reset()
			want{code: fault.Auth, says: []string{test.says}, hints: []string{"docker login " + reg.Addr}}.check(t, p.attempt(b, req))
			for _, a := range reg.Log() {
				if a.Method == http.MethodHead && strings.Contains(a.Path, "/blobs/") {
					t.Errorf("the image was built before it was said: %s %s", a.Method, a.Path)
				}
			}
		})
	}
	t.Run("the right one", func(t *testing.T) {
		req := p.request(p.variant("cpu", reg.Ref("team/app:1")))
		req.Auth = account("alice", "right")
		if res := mustBuild(t, b, req); res.Images[0].Layers == nil {
			t.Error("the layers are unknown")
		}
	})
}

// TestAuthorityOfATokenService: the client, which fetches tokens for the daemon, trusts the authorities of the request.
func TestAuthorityOfATokenService(t *testing.T) {
	b, reg, p := ownRegistry(t)
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewUnstartedServer(&tokens{})
	service.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	service.StartTLS()
	t.Cleanup(service.Close)
	wantToken(reg, service.URL)
	req := p.request(p.variant("cpu", reg.Ref("team/app:1")))
	req.Auth = account("alice", "right")
	want{code: fault.CA, says: []string{"mlbuild itself does not trust", reg.Addr}, hints: []string{"--ca-cert"}}.check(t, p.attempt(b, req))
	req.CA = slices.Concat(networkCA(t), []byte("\n"), ca.PEM)
	if res := mustBuild(t, b, req); res.Images[0].Layers == nil {
		t.Error("the layers are unknown")
	}
}

// TestMirrorWithALogin: a mirror in the daemon's configuration gets credentials only where the user has named it.
func TestMirrorWithALogin(t *testing.T) {
	open := testbed.Shared(t).Registry // has the image with which the requirements are resolved
	private := testbed.NewRegistry(t, testbed.RegistryOptions{Auth: &testbed.BasicAuth{User: "u", Password: "p"}})
	tinyBase(t, private.Ref("library/mirrored:1"), &authn.Basic{Username: "u", Password: "p"})
	d := testbed.NewDaemon(t, testbed.DaemonOptions{Config: fmt.Sprintf("[registry.\"docker.io\"]\n  mirrors = [%q, %q]\n[registry.%q]\n  http = true\n[registry.%q]\n  http = true\n",
		private.Addr, open.Addr, private.Addr, open.Addr)})
	b := connect(t, d.Addr())
	p := based(t, "docker.io/library/mirrored:1")
	req := p.quiet(p.variant("cpu"))
	var a asked
	req.Auth = a.provider("u", "p")
	want{code: fault.Base, says: []string{private.Addr + ", which the daemon asks"}, hints: []string{"docker login " + private.Addr, "--registry-login " + private.Addr}}.check(t, p.attempt(b, req))
	if slices.Contains(a.hosts, private.Addr) {
		t.Error("the mirror's credentials were handed out, and nobody had allowed it")
	}
	req.AuthHosts = []string{private.Addr}
	if err := p.attempt(b, req); err != nil {
		t.Error(err)
	}
}

// TestPlainHTTPRegistry: a registry without TLS that is not on this machine is said with the setting that it needs; where the output names it, the client asks by http too.
func TestPlainHTTPRegistry(t *testing.T) {
	b, reg, p := ownRegistry(t)
	lan := onLAN(t, reg)
	req := p.request(p.variant("cpu", lan+"/team/app:1"))
	want{code: fault.Registry, says: []string{lan + " speaks plain http"}, hints: []string{"http = true", "registry.insecure=true"}}.check(t, p.attempt(b, req))

	req.Outputs[0].Attrs = map[string]string{"registry.insecure": "true"}
	mustBuild(t, b, req)
	p.write("main.py", "print('edited')\n")
	res := mustBuild(t, b, req)
	if l := res.Images[0].Layers; l == nil || l.New != 1 || l.Reused == 0 {
		t.Errorf("after an edit: layers %+v (%s), want one new", l, res.Images[0].Route)
	}

	other := based(t, lan+"/faults/base:1")
	want{code: fault.Base, says: []string{lan + " speaks plain http"}, hints: []string{"http = true"}}.check(t, other.try(b))
}

// onLAN serves a registry by plain http on an address of this machine that is not loopback.
func onLAN(t *testing.T, reg *testbed.Registry) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || n.IP.To4() == nil || n.IP.IsLinkLocalUnicast() {
			continue
		}
		l, err := net.Listen("tcp", n.IP.String()+":0")
		if err != nil {
			continue
		}
		to := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: reg.Addr})
			r.Out.Host = r.In.Host
		}}
		srv := &http.Server{Handler: to}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
		return l.Addr().String()
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// TestFullOutput: a disk that is full here is not the daemon's.
func TestFullOutput(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	tinyBase(t, tb.Registry.Ref("faults/full:1"), nil)
	p := based(t, tb.Registry.Ref("faults/full:1"))
	p.write("main.py", "#"+strings.Repeat("x", 4<<20)+"\n")
	small := filepath.Join(tmpfs(t, "1m"), "out")
	for _, out := range []builder.Output{
		{Type: "oci", Open: func(string) (io.WriteCloser, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }},
		{Type: "tar", Open: func(string) (io.WriteCloser, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }},
		{Type: "local", Dir: small},
	} {
		req := p.quiet(p.variant("cpu"))
		req.Outputs = []builder.Output{out}
		err := p.attempt(b, req)
		if all := fault.All(err); len(all) != 1 || all[0].Code != fault.Output || !strings.Contains(all[0].Message, "no space left on device") {
			t.Errorf("%s: %v", out.Type, err)
		}
	}
}
