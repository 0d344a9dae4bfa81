package session

import (
	"context"
	"testing"

	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
)

// answering is a provider that always has a token.
type answering struct{ auth.AuthServer }

func (answering) FetchToken(context.Context, *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	return &auth.FetchTokenResponse{Token: "t"}, nil
}

// TestNoPasswordToAPlainTokenService: what the daemon names as token service must be on TLS, or on this machine, if there is a login to send.
func TestNoPasswordToAPlainTokenService(t *testing.T) {
	for _, c := range []struct {
		realm, password string
		given           bool
	}{
		{"https://auth.example/token", "p", true}, {"http://auth.example/token", "p", false}, {"http://auth.example/token", "", true},
		{"http://127.0.0.1:5000/token", "p", true}, {"http://localhost/token", "p", true}, {"http://localhost.evil.example/token", "p", false},
		{"auth.example/token", "p", false}, {"HTTP://auth.example/token", "p", false}, {"HTTPS://auth.example/token", "p", true},
	} {
		login := func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
			return types.AuthConfig{Username: "u", Password: c.password}, nil
		}
		got, err := tokens{answering{}, login}.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "reg.example", Realm: c.realm})
		if (err == nil) != c.given || c.given && got.Token != "t" {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}
