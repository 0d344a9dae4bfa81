package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestRegistryLogins: docker's file, then podman's; the one that REGISTRY_AUTH_FILE names comes first.
func TestRegistryLogins(t *testing.T) {
	dir := t.TempDir()
	write := func(path string, logins map[string]string) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		text := ""
		for host, login := range logins {
			text += fmt.Sprintf(`,%q: {"auth": %q}`, host, base64.StdEncoding.EncodeToString([]byte(login)))
		}
		if err := os.WriteFile(path, []byte(`{"auths": {`+text[1:]+`}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("docker/config.json", map[string]string{"both.example": "docker:p", "docker.example": "docker:p"})
	write("run/containers/auth.json", map[string]string{"both.example": "podman:p", "podman.example": "podman:p"})
	write("home/.config/containers/auth.json", map[string]string{"both.example": "home:p", "home.example": "home:p"})
	named := write("named.json", map[string]string{"both.example": "named:p"})
	docker := "DOCKER_CONFIG=" + filepath.Join(dir, "docker")
	run, home := "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "HOME="+filepath.Join(dir, "home")
	for _, test := range []struct {
		env        []string
		host, want string
	}{
		{[]string{docker, run}, "both.example", "docker"},
		{[]string{docker, run}, "podman.example", "podman"},
		{[]string{docker, run}, "other.example", ""},
		{[]string{docker, home}, "home.example", "home"},
		{[]string{docker, run, home}, "home.example", ""},
		{[]string{docker, run, "REGISTRY_AUTH_FILE=" + named}, "both.example", "named"},
		{[]string{docker, run, "REGISTRY_AUTH_FILE=" + named}, "docker.example", "docker"},
		{[]string{docker}, "podman.example", ""},
	} {
		auth, err := registryAuth(t.Context(), &env{environ: test.env, stderr: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := auth(t.Context(), test.host, nil, nil); err != nil || got.Username != test.want {
			t.Errorf("%s of %q: %q, %v, want %q", test.host, test.env, got.Username, err, test.want)
		}
	}
	_, err := registryAuth(t.Context(), &env{environ: []string{docker, "REGISTRY_AUTH_FILE=" + filepath.Join(dir, "none")}})
	if !fault.Is(err, fault.Auth) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestMirrors: the daemon may have the credentials of mirrors that the user has named, on the command line or in the settings of the local daemon.
func TestMirrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "buildkitd.toml")
	text := "[registry.\"docker.io\"]\n  mirrors = [\"harbor.example:8443/dockerhub\", \"https://m.example\"]\n[registry.\"quay.io\"]\n  mirrors = [\"q.example\"]\n[worker.oci]\n  gc = true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemonFlags{logins: []string{"named.example:5000"}, config: file}
	got, err := d.mirrors(t.Context(), &env{})
	if want := []string{"named.example:5000", "harbor.example:8443", "m.example", "q.example"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got, err := (&daemonFlags{}).mirrors(t.Context(), &env{}); err != nil || len(got) != 0 {
		t.Errorf("nobody named one: %q, %v", got, err)
	}
	if _, err := (&daemonFlags{logins: []string{"https://x/y"}}).mirrors(t.Context(), &env{}); !fault.Is(err, fault.Usage) {
		t.Errorf("a URL: %v", err)
	}
}

// TestSettingsFromAPipe: the settings of the local daemon are read once for the mirrors and for the daemon, since a pipe has them once.
func TestSettingsFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	const text = "[registry.\"docker.io\"]\n  mirrors = [\"m.example\"]\n"
	go func() { _ = os.WriteFile(pipe, []byte(text), 0o600) }()
	d := daemonFlags{config: pipe}
	mirrors, err := d.mirrors(t.Context(), &env{})
	if err != nil || !slices.Equal(mirrors, []string{"m.example"}) {
		t.Errorf("%q, %v", mirrors, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if o, err := d.options(ctx, &env{environ: []string{"HOME=/h"}}); err != nil || o.Config != text {
		t.Errorf("%q, %v", o.Config, err)
	}
}

// TestPlainTCPByItsSwitch: a daemon without TLS on another machine is used only where the user has said so.
func TestPlainTCPByItsSwitch(t *testing.T) {
	for _, test := range []struct {
		flag bool
		env  string
		want bool
	}{{false, "", false}, {true, "", true}, {false, "1", true}, {false, "0", false}, {true, "0", true}} {
		o, err := (&daemonFlags{plainTCP: test.flag}).options(t.Context(), &env{environ: []string{"MLBUILD_ALLOW_PLAIN_TCP=" + test.env, "HOME=/h"}})
		if err != nil || o.AllowPlainTCP != test.want {
			t.Errorf("%+v: %t, %v", test, o.AllowPlainTCP, err)
		}
	}
	if _, err := (&daemonFlags{}).options(t.Context(), &env{environ: []string{"MLBUILD_ALLOW_PLAIN_TCP=perhaps", "HOME=/h"}}); !fault.Is(err, fault.Usage) {
		t.Errorf("neither true nor false: %v", err)
	}
}
