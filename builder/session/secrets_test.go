package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const value = "hunter2-very-secret"

func TestSecretFaults(t *testing.T) {
	dir := t.TempDir()
	file := func(name, data string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, test := range []struct {
		name   string
		secret Secret
		says   string
	}{
		{"missing file", Secret{ID: "s", File: filepath.Join(dir, "none")}, "none: no such file or directory"},
		{"a directory", Secret{ID: "s", File: dir}, "is a directory"},
		{"no permission", Secret{ID: "s", File: "/proc/1/mem"}, "cannot read /proc/1/mem"},
		{"empty file", Secret{ID: "s", File: file("empty", "")}, "empty is empty"},
		{"blank file", Secret{ID: "s", File: file("blank", " \n\t\n")}, "blank is empty"},
		{"large file", Secret{ID: "s", File: file("large", strings.Repeat(value, 30000))}, "large has more than the 512000 bytes"},
		{"unset variable", Secret{ID: "s", Env: "TOKEN"}, "the variable TOKEN is not set"},
		{"empty variable", Secret{ID: "s", Env: "TOKEN", Set: true}, "the variable TOKEN is empty"},
		{"large variable", Secret{ID: "s", Env: "TOKEN", Set: true, Value: []byte(strings.Repeat(value, 30000))}, "the variable TOKEN has 570000 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(t.Context(), []Secret{test.secret}, nil, nil)
			buildertest.Expect(t, err, fault.Secret, false, `secret "s": `, test.says)
			if strings.Contains(err.Error(), value) {
				t.Error("the fault shows the value")
			}
		})
	}
}

func TestLoadSecrets(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python:\n  packages: [x]\n  indexes:\n    - {name: own, url: \"https://a.example/simple\", secret: account}\n    - {name: token, url: \"https://b.example/simple\", secret: bare}\n")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := Load(t.Context(), []Secret{{ID: "account", Set: true, Value: []byte("u:p\n")}, {ID: "bare", File: file}}, []byte("PEM"), []*recipe.Recipe{r})
	if err != nil {
		t.Fatal(err)
	}
	basic := func(s string) []byte { return []byte("Basic " + base64.StdEncoding.EncodeToString([]byte(s))) }
	want := Store{
		"account": []byte("u:p\n"), "bare": []byte("abc\n"), ops.CASecret: []byte("PEM"),
		ops.IndexSecret("own"): []byte("u:p"), ops.IndexSecret("token"): []byte("__token__:abc"),
		ops.HeaderSecret("own"): basic("u:p"), ops.HeaderSecret("token"): basic("__token__:abc"),
	}
	if diff := cmp.Diff(want, store); diff != "" {
		t.Error(diff)
	}
	if _, err := store.GetSecret(t.Context(), "other"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("an unknown secret gives %v", err)
	}
	if v, err := store.GetSecret(t.Context(), "account"); err != nil || string(v) != "u:p\n" {
		t.Errorf("got %q, %v", v, err)
	}
}

func TestOnlyHosts(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\nbase: {image: \"base.example:5000/x:1\", interpreter: /usr/bin/python3.11, glibc: \"2.36\"}\n")
	want := []string{"base.example:5000", "docker.io", "from.example", authprovider.DockerHubRegistryHost, "other.example", "push.example", "to.example"}
	got := Hosts([]*recipe.Recipe{r}, []string{"push.example/a:1", "other.example/b:1", "from.example/c:1", "", "to.example/c:1"})
	if diff := cmp.Diff(map[string]bool{}, difference(want, got)); diff != "" {
		t.Errorf("hosts %v\n%s", got, diff)
	}
	var asked []string
	provider := onlyHosts(func(_ context.Context, host string, _ []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		asked = append(asked, host)
		return types.AuthConfig{Username: "u", Password: value}, nil
	}, got)
	for host, given := range map[string]bool{"push.example": true, "base.example:5000": true, "evil.example": false, "base.example": false, "": false} {
		c, err := provider(t.Context(), host, nil, nil)
		if err != nil || (c.Password == value) != given {
			t.Errorf("%q: given %t, want %t; %v", host, c.Password == value, given, err)
		}
	}
	if len(asked) != 2 {
		t.Errorf("the store was asked for %q", asked)
	}
}

// difference holds what is in one list alone.
func difference(a, b []string) map[string]bool {
	odd := map[string]bool{}
	for _, s := range append(append([]string{}, a...), b...) {
		if odd[s] = !odd[s]; !odd[s] {
			delete(odd, s)
		}
	}
	return odd
}

func TestAttachables(t *testing.T) {
	all, err := Offer{Secrets: Store{}}.Attachables()
	if err != nil || len(all) != 1 {
		t.Errorf("%d services, %v; want the secrets alone", len(all), err)
	}
	auth := func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		return types.AuthConfig{}, nil
	}
	if all, err = (Offer{Secrets: Store{}, Auth: auth}).Attachables(); err != nil || len(all) != 2 {
		t.Errorf("%d services, %v; want credentials too", len(all), err)
	}
	_, err = Offer{Secrets: Store{}, Agents: []SSH{{ID: "default", Paths: []string{"/nowhere/agent"}}}}.Attachables()
	buildertest.Expect(t, err, fault.Secret, false, "--ssh", "/nowhere/agent")
}

// TestSecretFromAPipe: a process substitution has its bytes once; /dev/zero and a pipe into which nobody writes do not keep the build waiting.
func TestSecretFromAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(value); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	given, err := Read(t.Context(), []Secret{{ID: "s", File: fmt.Sprintf("/dev/fd/%d", r.Fd())}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		store, err := Load(t.Context(), given, nil, nil)
		if err != nil || string(store["s"]) != value {
			t.Errorf("%d bytes, %v", len(store["s"]), err)
		}
	}
	_, err = Read(t.Context(), []Secret{{ID: "s", File: "/dev/zero"}})
	buildertest.Expect(t, err, fault.Secret, false, `secret "s": `, "/dev/zero has more than the 512000 bytes")
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Read(ctx, []Secret{{ID: "s", File: pipe}}); err == nil {
		t.Error("a pipe into which nobody writes: no error")
	}
}
