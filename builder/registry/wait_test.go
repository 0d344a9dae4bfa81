package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// quick is a client with short limits.
func quick() *Client {
	c := New(nil, nil)
	c.waits = waits{answer: 200 * time.Millisecond, whole: 400 * time.Millisecond}
	return c
}

// TestWaitsEnd: a server that takes a connection and says nothing, one that stops in its answer and one that drips are given up, named, and not asked again.
func TestWaitsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		says   string
	}{
		"never answers": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "'s answer to GET /v2/team/app/manifests/1"},
		"drips": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, "the end of "},
		"a token service that never answers": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				<-r.Context().Done()
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "the log-in at "},
	} {
		var asks atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asks.Add(1)
			c.answer(w, r)
		}))
		host := strings.TrimPrefix(s.URL, "http://")
		client := quick()
		began := time.Now()
		_, _, err := client.Manifest(t.Context(), host+"/team/app:1")
		if !limits.IsTimedOut(err) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), host) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		asked := asks.Load()
		if _, _, err := client.Manifest(t.Context(), host+"/team/app:2"); name != "drips" && (!limits.IsTimedOut(err) || asks.Load() != asked) {
			t.Errorf("%s: asked again, %v", name, err)
		}
		s.CloseClientConnections()
		s.Close()
	}
}

// TestRequestsAtOnceLogInOnce: requests side by side share one token and one log-in; the race detector watches what they share.
func TestRequestsAtOnceLogInOnce(t *testing.T) {
	var tokens atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			tokens.Add(1)
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(w, `{"token":"t","expires_in":300}`)
		case r.Header.Get("Authorization") != "Bearer t":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = io.WriteString(w, "{}")
		}
	}))
	defer s.Close()
	client := New(nil, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, _, err := client.Manifest(t.Context(), strings.TrimPrefix(s.URL, "http://")+"/team/app:1"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if tokens.Load() != 1 {
		t.Errorf("%d tokens were fetched", tokens.Load())
	}
}

// TestAStoppedRunWaitsForNothing: an interrupted request ends at once, and the host is not held for silent.
func TestAStoppedRunWaitsForNothing(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	defer s.CloseClientConnections()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	client := New(nil, nil)
	_, _, err := client.Manifest(ctx, strings.TrimPrefix(s.URL, "http://")+"/team/app:1")
	if !errors.Is(err, context.Canceled) || len(client.silent.why) > 0 {
		t.Errorf("%v, %v", err, client.silent.why)
	}
}

// secure is a registry on TLS, and a client that trusts it and has a login for it.
func secure(t *testing.T, answer http.HandlerFunc) (*Client, repo, *httptest.Server) {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	client := s.Client()
	client.CheckRedirect = stayOnTLS
	login := func(string) (string, string, error) { return "alice", "pa", nil }
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthClient(client), docker.WithAuthCreds(login))
	c := &Client{waits: documentWaits, hosts: func(string) ([]docker.RegistryHost, error) {
		return []docker.RegistryHost{{Host: host, Scheme: "https", Path: "/v2", Client: client, Authorizer: authorizer, Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve | docker.HostCapabilityPush}}, nil
	}}
	p, err := c.repo(host+"/team/app:1", true)
	if err != nil {
		t.Fatal(err)
	}
	return c, p, s
}

// plain is a server without TLS that notes each request with its Authorization and body.
func plain(t *testing.T, got *[]string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, r.Method+" "+r.Header.Get("Authorization")+" "+string(body))
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestNoPasswordOnPlainHTTP: the login of a registry on TLS goes to no URL without, be it where an upload is to be sent, a redirect or a token service. The two servers have one
// address, as a proxy without X-Forwarded-Proto makes of them.
func TestNoPasswordOnPlainHTTP(t *testing.T) {
	data := []byte("data")
	desc := ocispecs.Descriptor{Digest: digest.FromBytes(data), Size: 4}
	basic := func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}
		return true
	}
	var got []string
	store := plain(t, &got)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
		sent   int
	}{
		"Location": {func(w http.ResponseWriter, r *http.Request) {
			if basic(w, r) {
				w.Header().Set("Location", store.URL+"/upload/1")
				w.WriteHeader(http.StatusAccepted)
			}
		}, "", 1},
		"redirect of the upload": {func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !basic(w, r):
			case r.Method == http.MethodPut:
				http.Redirect(w, r, store.URL+"/upload/2", http.StatusTemporaryRedirect)
			default:
				w.Header().Set("Location", "/upload/2")
				w.WriteHeader(http.StatusAccepted)
			}
		}, "from TLS to http://", 0},
		"token service": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+store.URL+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "which is not on TLS; nothing was sent", 0},
		"redirect of the token service": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				http.Redirect(w, r, store.URL+"/token", http.StatusTemporaryRedirect)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "from TLS to http://", 0},
	} {
		got = nil
		client, _, s := secure(t, c.answer)
		host := strings.TrimPrefix(s.URL, "https://")
		err := client.put(t.Context(), host+"/team/app:1", desc.Digest, bytes.NewReader(data), desc.Size)
		if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || !fault.Is(err, fault.Auth)) {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) != c.sent || strings.Contains(strings.Join(got, ""), "Basic") || strings.Contains(strings.Join(got, ""), "password") {
			t.Errorf("%s: the plain server got %q", name, got)
		}
	}
}

// TestSameAddressOtherScheme: net/http keeps Authorization on a redirect to the same host name, whatever its scheme.
func TestSameAddressOtherScheme(t *testing.T) {
	_, p, _ := secure(t, func(http.ResponseWriter, *http.Request) {})
	same := p.base
	if u := strings.Replace(same, "https://", "http://", 1); p.isHost(mustParse(t, u)) || !p.isHost(mustParse(t, same)) {
		t.Errorf("%s is held for %s", u, same)
	}
	var got []string
	store := plain(t, &got)
	client, _, s := secure(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, store.URL+"/blob", http.StatusTemporaryRedirect)
	})
	_ = client
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/blob", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("alice", "pa")
	c := s.Client()
	c.CheckRedirect = stayOnTLS
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(got) != 1 || got[0] != "GET  " {
		t.Errorf("after a redirect of a GET: %q", got)
	}
}

// TestConnectionThatIsNotMade: the error of a dial says how long it was.
func TestConnectionThatIsNotMade(t *testing.T) {
	err := timedOut(t.Context(), "reg.example", &net.OpError{Op: "dial", Err: context.DeadlineExceeded})
	if !limits.IsTimedOut(err) || err.Error() != "waited "+limits.Connect.String()+" for a connection to reg.example" {
		t.Error(err)
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
