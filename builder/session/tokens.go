package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	dockerauth "github.com/containerd/containerd/v2/core/remotes/docker/auth"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/util/progress/progresswriter"
	"google.golang.org/grpc"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// tokens offers the daemon credentials, and fetches the tokens of registries for it, from this machine: the passwords of such registries stay here. It is BuildKit's
// service but for the fetching, which trusts the CA bundle of the request, lets no password go to a token service on plain HTTP, waits for none longer than limits.Document, and
// says in its errors at which registry the login failed and with what status.
type tokens struct {
	auth.AuthServer
	from     authprovider.AuthConfigProvider
	client   *http.Client
	insecure []string
	refused  func(*fault.Fault)

	mu     sync.Mutex
	logger progresswriter.Logger
	told   map[string]bool // registries of which a line was shown
}

func newTokens(o Offer) (*tokens, error) {
	from := onlyHosts(o.Auth, o.Hosts)
	usual, ok := authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{AuthConfigProvider: from}).(auth.AuthServer)
	if !ok {
		return nil, fault.New(fault.Internal, "BuildKit's provider of logins has another form")
	}
	return &tokens{AuthServer: usual, from: from, client: cmp.Or(o.Client, http.DefaultClient), insecure: o.Insecure, refused: o.Refused, told: map[string]bool{}}, nil
}

// Register implements session.Attachable.
func (t *tokens) Register(server *grpc.Server) { auth.RegisterAuthServer(server, t) }

// SetLogger takes what shows lines in the progress of the build.
func (t *tokens) SetLogger(l progresswriter.Logger) {
	t.mu.Lock()
	t.logger = l
	t.mu.Unlock()
	if usual, ok := t.AuthServer.(interface{ SetLogger(progresswriter.Logger) }); ok {
		usual.SetLogger(l)
	}
}

// clientID is how tokens are asked for (OAuth 2.0 as of the distribution project's "token" specification).
const clientID = "buildkit-client"

// maxAge is how long credentials may be used again: those of Google's registries last five minutes.
const maxAge = 4*time.Minute + 50*time.Second

// FetchToken implements auth.AuthServer. An error names the registry, as those of the client's own log-ins do, and holds an answer's status.
func (t *tokens) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	what := "the token service of " + req.Host
	got, err := limits.Wait(ctx, limits.Document, what, func(ctx context.Context) (*auth.FetchTokenResponse, error) { return t.fetch(ctx, req) })
	if err != nil {
		return nil, fmt.Errorf("log in at %s: %w", req.Host, err)
	}
	return got, nil
}

// fetch fetches a token with the account for a registry, and without one where there is none.
func (t *tokens) fetch(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	account, err := t.from(ctx, req.Host, req.Scopes, func(created time.Time, _ string) bool { return time.Since(created) > maxAge })
	if err != nil {
		return nil, err
	}
	if account.RegistryToken != "" {
		return &auth.FetchTokenResponse{Token: account.RegistryToken, ExpiresIn: minLife}, nil
	}
	to := dockerauth.TokenOptions{Realm: req.Realm, Service: req.Service, Scopes: req.Scopes, Username: account.Username, Secret: account.Password}
	if account.IdentityToken != "" {
		to.Username, to.Secret = "", account.IdentityToken
	}
	if to.Secret == "" {
		got, err := dockerauth.FetchToken(ctx, t.client, nil, to)
		if err != nil {
			return nil, fmt.Errorf("failed to fetch anonymous token: %w", err)
		}
		return tokenOf(got.Token, got.IssuedAt, got.ExpiresInSeconds), nil
	}
	if f := t.unsafe(req); f != nil {
		return nil, f
	}
	t.show(req)
	got, err := t.withAccount(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch oauth token: %w", err)
	}
	return got, nil
}

// unsafe returns a fault.Auth where a password would go to a token service on plain HTTP, on another machine, of a registry that was not said to be insecure; else nil.
func (t *tokens) unsafe(req *auth.FetchTokenRequest) *fault.Fault {
	realm, err := url.Parse(req.Realm)
	if err == nil && (realm.Scheme == "https" || isLoopback(realm.Hostname()) || slices.Contains(t.insecure, req.Host)) {
		return nil
	}
	f := fault.New(fault.Auth, "%s wants the login sent to %s, which is not on TLS; nothing was sent", req.Host, req.Realm).
		Hint("the registry must name its token service by https: behind a proxy it needs X-Forwarded-Proto")
	if t.refused != nil {
		t.refused(f)
	}
	return f
}

// isLoopback reports whether a host is this machine, where nobody else listens.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withAccount fetches a token by POST, and where a service knows no POST by GET: it answers 404 (GCR), 405, or 401 (Artifactory).
func (t *tokens) withAccount(ctx context.Context, to dockerauth.TokenOptions) (*auth.FetchTokenResponse, error) {
	got, err := dockerauth.FetchTokenWithOAuth(ctx, t.client, nil, clientID, to)
	if err == nil {
		return tokenOf(got.AccessToken, got.IssuedAt, got.ExpiresInSeconds), nil
	}
	status, _ := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
	switch status.StatusCode {
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusMethodNotAllowed:
	default:
		return nil, err //nolint:wrapcheck // FetchToken does
	}
	again, err := dockerauth.FetchToken(ctx, t.client, nil, to)
	if err != nil {
		return nil, err //nolint:wrapcheck // FetchToken does
	}
	return tokenOf(again.Token, again.IssuedAt, again.ExpiresInSeconds), nil
}

// show puts a line into the progress the first time that a registry is logged in at for something.
func (t *tokens) show(req *auth.FetchTokenRequest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	scopes := make([]string, len(req.Scopes))
	for i, s := range req.Scopes {
		scopes[i] = strings.TrimPrefix(s, "repository:")
	}
	name := fmt.Sprintf("[auth] %s token for %s", strings.Join(scopes, " "), req.Host)
	if t.logger == nil || t.told[name] {
		return
	}
	t.told[name] = true
	_ = progresswriter.Wrap(name, t.logger, func(progresswriter.SubLogger) error { return nil })
}

// minLife is the life of a token that does not say it, in seconds (distribution's "token" specification).
const minLife = 60

func tokenOf(token string, issued time.Time, expires int) *auth.FetchTokenResponse {
	resp := &auth.FetchTokenResponse{Token: token, ExpiresIn: int64(expires)}
	if expires == 0 {
		resp.ExpiresIn = minLife
	}
	if !issued.IsZero() {
		resp.IssuedAt = issued.Unix()
	}
	return resp
}
