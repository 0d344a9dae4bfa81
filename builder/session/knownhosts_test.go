package session

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestKeysOf(t *testing.T) {
	const hashed = "|1|c2FsdHNhbHRzYWx0c2FsdHNhbHQ=|" // and the hash of git.example.com
	lines := map[string]string{
		"plain": "git.example.com ssh-ed25519 AAAA1\n", "list": "10.0.0.1,git.example.com ssh-rsa AAAA2 a comment\r\n", "port": "[git.example.com]:2222 ssh-ed25519 AAAA3\n",
		"pattern": "*.example.com ssh-ed25519 AAAA4\n", "not": "*.example.com,!git.example.com ssh-ed25519 AAAA5\n", "other": "other.example.com ssh-ed25519 AAAA6\n",
		"hashed": hashed + hashOf("c2FsdHNhbHRzYWx0c2FsdHNhbHQ=", "git.example.com") + " ssh-ed25519 AAAA7\n", "another": hashed + "AAAA ssh-ed25519 AAAA8\n",
		"revoked": "@revoked git.example.com ssh-ed25519 AAAA9\n", "comment": "# git.example.com ssh-ed25519 AAAA10\n", "torn": "git.example.com",
	}
	for _, c := range []struct {
		server string
		want   []string
	}{
		{"git.example.com", []string{"plain", "pattern", "hashed", "revoked"}},
		{"[git.example.com]:2222", []string{"port"}},
		{"GIT.example.com", []string{"plain", "pattern", "revoked"}},
		{"10.0.0.1", nil},
		{"nowhere.example.org", nil},
	} {
		all, want := "", ""
		for _, name := range []string{"plain", "port", "pattern", "not", "other", "hashed", "another", "revoked", "comment", "torn"} {
			all += lines[name]
		}
		for _, name := range c.want {
			want += lines[name]
		}
		if got := KnownHosts(all, []string{c.server}); got != want {
			t.Errorf("%s: got\n%swant\n%s", c.server, got, want)
		}
	}
	if got := KnownHosts(lines["list"], []string{"10.0.0.1"}); got != "10.0.0.1,git.example.com ssh-rsa AAAA2 a comment\n" {
		t.Errorf("a list of names: %q", got)
	}
}

// TestKeysOfAsSSH compares with the Go team's reading of known_hosts: a line is passed on if its key counts for the server.
func TestKeysOfAsSSH(t *testing.T) {
	key := newKey(t)
	line := " " + key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()) + "\n"
	hosts := []string{"git.example.com:22", "git.example.com:2222", "gitlab.example.com:22", "example.com:22", "10.0.0.1:22", "10.0.0.1:2222", "[fd00::1]:2222"}
	fields := []string{
		"git.example.com", "[git.example.com]:2222", "*.example.com", "*example.com", "git*.example.com", "g?t.example.com", "[*.example.com]:2222", "[10.0.0.*]:2222",
		"10.0.0.?", "[fd00::1]:2222", "git.example.com,10.0.0.1", "*.example.com,!git.example.com", "!git.example.com,*.example.com", "!git.example.com",
	}
	for _, host := range hosts {
		fields = append(fields, knownhosts.HashHostname(knownhosts.Normalize(host)))
	}
	for _, field := range fields {
		for _, host := range hosts {
			want := knows(t, field+line, host, key)
			if got := KnownHosts(field+line, []string{knownhosts.Normalize(host)}) != ""; got != want {
				t.Errorf("%s for %s: %t, want %t", field, host, got, want)
			}
		}
	}
}

// A pattern that ends in a star is about every port too: ssh compares it with "[git.example.com]:2222" as a whole, and the Go team's package with the host alone.
func TestKeysOfAnyPort(t *testing.T) {
	for _, field := range []string{"*", "*,!*.example.com"} {
		if KnownHosts(field+" ssh-ed25519 AAAA\n", []string{"[git.example.com]:2222"}) == "" {
			t.Errorf("%s is not about port 2222", field)
		}
	}
}

func newKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// knows reports whether the key is the host's, by a known_hosts of these lines.
func knows(t *testing.T, lines, host string, key ssh.PublicKey) bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	check, err := knownhosts.New(file)
	if err != nil {
		t.Fatal(err)
	}
	err = check(host, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}, key)
	if _, unknown := errors.AsType[*knownhosts.KeyError](err); err != nil && !unknown {
		t.Fatal(err)
	}
	return err == nil
}
