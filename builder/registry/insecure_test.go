package registry

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// remote is a client that takes the host of a server for one of another machine, which is asked by https.
func remote(host string, insecure ...string) *Client {
	client := HTTPClient(nil, insecure...)
	account := func(string) (string, string, error) { return "alice", "pa", nil }
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthClient(client), docker.WithAuthCreds(account))
	return &Client{waits: documentWaits, insecure: insecure, hosts: func(string) ([]docker.RegistryHost, error) {
		all := docker.HostCapabilityPull | docker.HostCapabilityResolve | docker.HostCapabilityPush
		return []docker.RegistryHost{{Host: host, Scheme: "https", Path: "/v2", Client: client, Authorizer: authorizer, Capabilities: all}}, nil
	}}
}

// TestInsecureHosts: a registry that the user said to be insecure is believed without a certificate and on plain HTTP, with its login, where it sends an upload and at its token
// service too; one that nobody has named so gets nothing, and neither does another host without a certificate.
func TestInsecureHosts(t *testing.T) {
	data := []byte("data")
	desc := ocispecs.Descriptor{Digest: digest.FromBytes(data), Size: 4}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"token": "t", "access_token": "t"}`)
	}))
	defer service.Close()
	quiet := log.New(io.Discard, "", 0)
	for _, test := range []struct {
		tls   bool
		realm string
	}{{false, `Basic realm="here"`}, {true, `Basic realm="here"`}, {false, `Bearer realm="` + service.URL + `/token",service="s"`}} {
		sent := 0
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if login := r.Header.Get("Authorization"); login == "" {
				w.Header().Set("WWW-Authenticate", test.realm)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			sent++
			if r.Method == http.MethodPost {
				w.Header().Set("Location", "/v2/team/app/blobs/uploads/7")
				w.WriteHeader(http.StatusAccepted)
				return
			}
			w.WriteHeader(http.StatusCreated)
		}))
		s.Config.ErrorLog = quiet
		if test.tls {
			s.StartTLS()
		} else {
			s.Start()
		}
		host := strings.TrimPrefix(strings.TrimPrefix(s.URL, "https://"), "http://")
		if err := remote(host, host).put(t.Context(), host+"/team/app:1", desc.Digest, bytes.NewReader(data), desc.Size); err != nil || sent != 2 {
			t.Errorf("%+v: %v, %d requests with a login", test, err, sent)
		}
		sent = 0
		if err := remote(host, "other.example").put(t.Context(), host+"/team/app:1", desc.Digest, bytes.NewReader(data), desc.Size); err == nil || sent != 0 {
			t.Errorf("%+v, but nobody said so: %v, %d requests with a login", test, err, sent)
		}
		s.Close()
	}
}
