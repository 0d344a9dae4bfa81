package session

import (
	"context"
	"net"
	"net/url"

	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mlbuild/mlbuild/builder/limits"
)

// tokens answers the daemon's questions for logins as BuildKit's own provider does, but lets no password go to a token service on plain HTTP, and waits for none longer than
// limits.Document.
type tokens struct {
	auth.AuthServer
	login authprovider.AuthConfigProvider
}

// Register implements session.Attachable.
func (t tokens) Register(server *grpc.Server) { auth.RegisterAuthServer(server, t) }

// FetchToken implements auth.AuthServer.
func (t tokens) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	if realm, err := url.Parse(req.Realm); err != nil || realm.Scheme != "https" && !isLoopback(realm.Hostname()) {
		login, err := t.login(ctx, req.Host, req.Scopes, nil)
		if err != nil {
			return nil, err
		}
		if login.Password != "" || login.IdentityToken != "" {
			return nil, status.Errorf(codes.PermissionDenied, "%s wants the login sent to %s, which is not on TLS; nothing was sent", req.Host, req.Realm)
		}
	}
	what := "the token service of " + req.Host
	return limits.Wait(ctx, limits.Document, what, func(ctx context.Context) (*auth.FetchTokenResponse, error) { return t.AuthServer.FetchToken(ctx, req) })
}

// isLoopback reports whether a host is this machine, where nobody else listens.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
