package testbed

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// RegistryOptions is what a registry can be asked to be. The zero value is plain http without accounts.
type RegistryOptions struct {
	TLS   *CA        // serve https with a certificate of this authority
	Auth  *BasicAuth // ask for an account
	Bases bool       // hold the stand-in base images
}

// BasicAuth is the one account that a server knows.
type BasicAuth struct {
	User, Password string
	// Prefix limits the question to paths that begin so ("/v2/private/"); "" = every path.
	Prefix string
}

// Registry is a real distribution registry behind a proxy that logs every request.
type Registry struct {
	*AccessLog
	Addr string // host:port
	dir  string
	proc *process
	srv  *http.Server
	opt  RegistryOptions
	base http.RoundTripper // to the registry's socket, past the log
}

const registryConfig = `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %s}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {net: unix, addr: %s, relativeurls: true}
`

// StartRegistry starts a registry on a free port of 127.0.0.1. With Bases it holds the stand-in images,
// which are made first if the cache has none (minutes).
func StartRegistry(ctx context.Context, opt RegistryOptions) (*Registry, error) {
	dir, err := tempDir("reg")
	if err != nil {
		return nil, err
	}
	storage := filepath.Join(dir, "storage")
	if opt.Bases {
		err = basesInto(ctx, storage)
	}
	r := &Registry{AccessLog: newAccessLog(), dir: dir, opt: opt}
	if err == nil {
		err = r.start(ctx, storage)
	}
	if err != nil {
		_ = r.Stop()
		return nil, err
	}
	return r, nil
}

func (r *Registry) start(ctx context.Context, storage string) error {
	bin, err := Tool("registry")
	if err != nil {
		return err
	}
	socket, config := filepath.Join(r.dir, "s"), filepath.Join(r.dir, "config.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, storage, socket), 0o644); err != nil {
		return err
	}
	env := append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	r.proc, err = startProcess(env, filepath.Join(r.dir, "log"), bin, "serve", config)
	if err != nil {
		return err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	r.base = &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64, DisableCompression: true}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := r.proc.await(ctx, r.ping); err != nil {
		return err
	}
	return r.listen()
}

// ping asks the registry itself, past the proxy.
func (r *Registry) ping(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /v2/: %s", resp.Status)
	}
	return nil
}

// listen puts the logging proxy in front of the registry.
func (r *Registry) listen() error {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: "registry"})
			p.Out.Host = p.In.Host
		},
		Transport: r.base,
		ErrorLog:  log.New(io.Discard, "", 0), // a client that hangs up is the test's business
	}
	var err error
	r.srv, r.Addr, err = serve(r.handler(requireAuth(r.opt.Auth, proxy)), r.opt.TLS)
	return err
}

// serve listens on a free port of 127.0.0.1 and returns the server and its host:port.
func serve(h http.Handler, ca *CA) (*http.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	addr := l.Addr().String()
	if ca != nil {
		cert, err := ca.Certificate("127.0.0.1", "localhost")
		if err != nil {
			return nil, "", err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = srv.Serve(l) }()
	return srv, addr, nil
}

// requireAuth asks for the account in front of h; nil asks for none.
func requireAuth(auth *BasicAuth, h http.Handler) http.Handler {
	if auth == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, password, _ := req.BasicAuth()
		if strings.HasPrefix(req.URL.Path, auth.Prefix) && (user != auth.User || password != auth.Password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="testbed"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, req)
	})
}

// Ref is the full reference of a repository with a tag or digest: Ref("team/app:1").
func (r *Registry) Ref(name string) string { return r.Addr + "/" + name }

// Stop ends the registry and removes what it held.
func (r *Registry) Stop() error {
	if r.srv != nil {
		_ = r.srv.Close()
	}
	if r.proc != nil {
		r.proc.stop(5 * time.Second)
	}
	return RemoveAll(r.dir)
}
