package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/log"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/sirupsen/logrus"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxManifest bounds what is read of a manifest, in bytes (the distribution spec asks registries to take 4 MiB).
const maxManifest = 4 << 20

// Client is the client's own view of the registries: it reads manifests, puts tags, and brings small layers. Large ones never pass through it.
type Client struct {
	hosts    docker.RegistryHosts
	insecure []string // hosts that are also believed on plain HTTP
	waits    waits
	silent   silentHosts
	login    sync.Mutex // held for a part of a log-in
}

// New takes the credentials of the docker config, the CA bundle (PEM, nil = the system's), and the insecure hosts, see HTTPClient. Loopback is plain HTTP.
func New(auth authprovider.AuthConfigProvider, ca []byte, insecure ...string) *Client {
	client := HTTPClient(ca, insecure...)
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthClient(client), docker.WithAuthCreds(credentials(auth)))
	hosts := docker.ConfigureDefaultRegistries(docker.WithClient(client), docker.WithAuthorizer(authorizer), docker.WithPlainHTTP(docker.MatchLocalhost))
	return &Client{hosts: hosts, insecure: insecure, waits: documentWaits}
}

// HTTPClient returns a client that trusts the CA bundle (PEM, nil = the system's) and takes no login from TLS to plain HTTP. Of the insecure hosts, host:port, which the user has
// named so, no certificate is wanted, and where they speak no https they are asked by http, as the daemon does it (BuildKit's registry.insecure).
func HTTPClient(ca []byte, insecure ...string) *http.Client {
	t := &transports{plain: transport(nil), secure: sync.OnceValue(func() *http.Transport { return transport(ca) }), insecure: insecure}
	if len(insecure) > 0 {
		lax := transport(nil)
		lax.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // of hosts that the user has named
		t.lax = docker.NewHTTPFallback(lax)
	}
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) < maxRedirects && slices.Contains(insecure, req.URL.Host) {
			return nil
		}
		return stayOnTLS(req, via)
	}}
}

// transports keeps plain HTTP from the certificates: parsing the system's takes longer than a request to a registry nearby.
type transports struct {
	plain    *http.Transport
	secure   func() *http.Transport
	insecure []string
	lax      http.RoundTripper // for the insecure hosts
}

// RoundTrip implements http.RoundTripper.
func (t *transports) RoundTrip(req *http.Request) (*http.Response, error) {
	switch {
	case slices.Contains(t.insecure, req.URL.Host):
		return t.lax.RoundTrip(req)
	case req.URL.Scheme == "https":
		return t.secure().RoundTrip(req)
	}
	return t.plain.RoundTrip(req)
}

// transport is the standard library's own, trusting the CA bundle too. It keeps the connections over which an image's blobs are asked for.
func transport(ca []byte) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // the standard library's own
	t.DialContext = (&net.Dialer{Timeout: limits.Connect, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = limits.TLS
	t.MaxIdleConnsPerHost = atOnce
	if pool := caPool(ca); pool != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t
}

// maxRedirects is that of net/http.
const maxRedirects = 10

// stayOnTLS follows redirects as net/http does, and takes the credentials along from TLS to plain HTTP neither in the header, which net/http drops for another host alone, nor in
// a body: a token service gets the password in one.
func stayOnTLS(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		req.Header.Del("Authorization")
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			return fault.New(fault.Auth, "%s redirects a %s from TLS to %s; nothing was sent there", via[0].URL.Host, req.Method, req.URL.Redacted())
		}
	}
	return nil
}

func caPool(ca []byte) *x509.CertPool {
	if ca == nil {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(ca)
	return pool
}

func credentials(auth authprovider.AuthConfigProvider) func(string) (string, string, error) {
	return func(host string) (string, string, error) {
		if auth == nil {
			return "", "", nil
		}
		c, err := auth(context.Background(), host, nil, nil)
		if err != nil {
			return "", "", err
		}
		if c.IdentityToken != "" {
			return "", c.IdentityToken, nil
		}
		return c.Username, c.Password, nil
	}
}

// silent keeps the resolver's own log lines off the user's terminal: what they say comes back as errors.
func silent(ctx context.Context) context.Context {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return log.WithLogger(ctx, logrus.NewEntry(l))
}
