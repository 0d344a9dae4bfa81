package session

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"

	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// login is a provider of one account.
func login(c types.AuthConfig) authprovider.AuthConfigProvider {
	return func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		return c, nil
	}
}

// mustTokens is what offers the tokens of reg.example.
func mustTokens(t *testing.T, o Offer) *tokens {
	t.Helper()
	o.Hosts = []string{"reg.example"}
	offered, err := newTokens(o)
	if err != nil {
		t.Fatal(err)
	}
	return offered
}

// answering answers every request with a token.
type answering struct{}

func (answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"token": "t", "access_token": "t"}`))}, nil
}

// TestNoPasswordToAPlainTokenService: what the daemon names as token service must be on TLS, or on this machine, if there is a login to send; of a registry that the user said to
// be insecure it need not be.
func TestNoPasswordToAPlainTokenService(t *testing.T) {
	for _, c := range []struct {
		realm, password string
		insecure        []string
		given           bool
	}{
		{"https://auth.example/token", "p", nil, true}, {"http://auth.example/token", "p", nil, false}, {"http://auth.example/token", "", nil, true},
		{"http://127.0.0.1:5000/token", "p", nil, true}, {"http://localhost/token", "p", nil, true}, {"http://localhost.evil.example/token", "p", nil, false},
		{"auth.example/token", "p", nil, false}, {"HTTP://auth.example/token", "p", nil, false}, {"HTTPS://auth.example/token", "p", nil, true},
		{"http://auth.example/token", "p", []string{"reg.example"}, true}, {"http://reg.example/token", "p", []string{"other.example"}, false},
	} {
		var told []*fault.Fault
		offer := mustTokens(t, Offer{
			Auth: login(types.AuthConfig{Username: "u", Password: c.password}), Client: &http.Client{Transport: answering{}}, Insecure: c.insecure,
			Refused: func(f *fault.Fault) { told = append(told, f) },
		})
		got, err := offer.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "reg.example", Realm: c.realm})
		if (err == nil) != c.given || c.given && got.Token != "t" || (len(told) == 0) != c.given || fault.Is(err, fault.Auth) == c.given {
			t.Errorf("%+v: %v, %v, told %v", c, got, err, told)
		}
	}
}

// TestFetchToken: a token service that only the request's CA vouches for is trusted, by every kind of account; an error has the registry, the status and the type.
func TestFetchToken(t *testing.T) {
	var asked []string
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		user, password, _ := r.BasicAuth()
		asked = append(asked, strings.Join([]string{r.Method, user, password, r.Form.Get("username"), r.Form.Get("password"), r.Form.Get("refresh_token")}, " "))
		switch {
		case r.Form.Get("service") == "no post" && r.Method == http.MethodPost:
			w.WriteHeader(http.StatusNotFound)
		case r.Form.Get("service") == "closed":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = io.WriteString(w, `{"token": "t", "access_token": "t"}`)
		}
	}))
	service.Config.ErrorLog = log.New(io.Discard, "", 0)
	service.StartTLS()
	defer service.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})
	for _, test := range []struct {
		account types.AuthConfig
		service string
		asked   string
		says    string // of the error, "" = a token comes
	}{
		{types.AuthConfig{}, "s", "GET     ", ""},
		{types.AuthConfig{Username: "u", Password: "p"}, "s", "POST   u p ", ""},
		{types.AuthConfig{Username: "u", Password: "p"}, "no post", "POST   u p ,GET u p   ", ""},
		{types.AuthConfig{IdentityToken: "i"}, "s", "POST     i", ""},
		{types.AuthConfig{RegistryToken: "t"}, "s", "", ""},
		{types.AuthConfig{}, "closed", "GET     ", "log in at reg.example: failed to fetch anonymous token: unexpected status from GET request to "},
		{types.AuthConfig{Username: "u", Password: "p"}, "closed", "POST   u p ,GET u p   ", "log in at reg.example: failed to fetch oauth token: unexpected status from GET request to "},
	} {
		asked = nil
		offer := mustTokens(t, Offer{Auth: login(test.account), Client: registry.HTTPClient(ca)})
		got, err := offer.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "reg.example", Realm: service.URL, Service: test.service, Scopes: []string{"repository:a:pull"}})
		if strings.Join(asked, ",") != test.asked {
			t.Errorf("%+v: asked %q, want %q", test, strings.Join(asked, ","), test.asked)
		}
		if test.says == "" {
			if err != nil || got.Token != "t" || got.ExpiresIn != 60 {
				t.Errorf("%+v: %v, %v", test, got, err)
			}
			continue
		}
		status, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
		if !ok || status.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(err.Error(), test.says) || strings.Contains(err.Error(), " p") {
			t.Errorf("%+v: %v", test, err)
		}
	}
	_, err := mustTokens(t, Offer{Auth: login(types.AuthConfig{}), Client: registry.HTTPClient(nil)}).FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "reg.example", Realm: service.URL})
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("without the CA: %v", err)
	}
}
