package builder

import (
	"testing"
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
		if got := keysOf(all, []string{c.server}); got != want {
			t.Errorf("%s: got\n%swant\n%s", c.server, got, want)
		}
	}
	if got := keysOf(lines["list"], []string{"10.0.0.1"}); got != "10.0.0.1,git.example.com ssh-rsa AAAA2 a comment\n" {
		t.Errorf("a list of names: %q", got)
	}
}
