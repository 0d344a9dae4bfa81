package login

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// helpers puts shell scripts as credential helpers on PATH.
func helpers(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestCredentialHelpers: each way in which a helper fails is an E-AUTH that names it and the host, within the limit.
func TestCredentialHelpers(t *testing.T) {
	helpers(t, map[string]string{
		"garbage": `echo "Your SSO session has expired. Run: aws sso login"`,
		"exit1":   `echo "gpg: decryption failed: No secret key"; exit 1`,
		"hang":    `sleep 60`, // a child, which lives on with the output open
		"none":    `echo "credentials not found in native keychain"; exit 1`,
		"leaky":   `echo '{"Secret": "hunter2"'`,
		"flood":   `exec cat /dev/zero`,
		"good":    `read server; echo "{\"ServerURL\": \"$server\", \"Username\": \"u\", \"Secret\": \"$server\"}"`,
		"token":   `echo '{"Username": "<token>", "Secret": "t"}'`,
	})
	for _, c := range []struct {
		helper, says string
		want         types.AuthConfig
	}{
		{"missing", "executable file not found", types.AuthConfig{}},
		{"garbage", "its answer is not JSON: Your SSO session has expired. Run: aws sso login", types.AuthConfig{}},
		{"exit1", "exit status 1: gpg: decryption failed: No secret key", types.AuthConfig{}},
		{"leaky", "its answer is not JSON", types.AuthConfig{}},
		{"hang", "waited 300ms for docker-credential-hang", types.AuthConfig{}},
		{"flood", "waited 300ms for docker-credential-flood", types.AuthConfig{}},
		{"none", "", types.AuthConfig{}},
		{"good", "", types.AuthConfig{ServerAddress: "reg.example:5000", Username: "u", Password: "reg.example:5000"}},
		{"token", "", types.AuthConfig{ServerAddress: "reg.example:5000", IdentityToken: "t"}},
	} {
		l := &logins{file: &configfile.ConfigFile{CredentialsStore: c.helper, AuthConfigs: map[string]types.AuthConfig{"reg.example:5000": {Username: "stale"}}}, limit: 300 * time.Millisecond, known: map[string]*login{}}
		began := time.Now()
		got, err := l.get(t.Context(), "reg.example:5000", nil, nil)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: %s", c.helper, took)
		}
		if got != c.want {
			t.Errorf("%s: %+v", c.helper, got)
		}
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", c.helper, err)
			}
			continue
		}
		retry := c.helper == "hang" || c.helper == "flood"
		buildertest.Expect(t, err, fault.Auth, retry, "the credential helper docker-credential-"+c.helper+" gave no login for reg.example:5000: ", c.says)
	}
}

// TestHelperOfOneHost: credHelpers' entry wins over credsStore, an empty one means the file; Docker Hub has one key; who is stopped does not wait.
func TestHelperOfOneHost(t *testing.T) {
	helpers(t, map[string]string{"count": `echo x >> "$COUNT"; echo '{"Username": "u", "Secret": "p"}'`, "hang": "sleep 60"})
	count := filepath.Join(t.TempDir(), "count")
	t.Setenv("COUNT", count)
	get := Provider(&configfile.ConfigFile{
		CredentialsStore: "hang", CredentialHelpers: map[string]string{"a.example": "count", "b.example": "", "https://index.docker.io/v1/": "count"},
		AuthConfigs: map[string]types.AuthConfig{"b.example": {Username: "file", Password: "f"}},
	})
	for host, user := range map[string]string{"a.example": "u", "b.example": "file", "registry-1.docker.io": "u", "docker.io": "u"} {
		for range 2 {
			if got, err := get(t.Context(), host, nil, nil); err != nil || got.Username != user {
				t.Errorf("%s: %+v, %v", host, got, err)
			}
		}
	}
	if ran, err := os.ReadFile(count); err != nil || len(ran) != len("x\nx\n") {
		t.Errorf("the helper ran %d times, want once for each host", len(ran)/2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := get(ctx, "c.example", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who is stopped gets %v", err)
	}
}
