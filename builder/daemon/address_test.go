package daemon

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, network, target string
		loopback              bool
	}{
		{"unix:///run/buildkit/buildkitd.sock", "unix", "/run/buildkit/buildkitd.sock", true},
		{"tcp://127.0.0.1:1234", "tcp", "127.0.0.1:1234", true},
		{"tcp://[::1]:1234", "tcp", "[::1]:1234", true},
		{"tcp://localhost:1234", "tcp", "localhost:1234", true},
		{"tcp://0.0.0.0:1234", "tcp", "0.0.0.0:1234", false},
		{"tcp://builder.example.com:1234", "tcp", "builder.example.com:1234", false},
		{"tcp://localhost.example.com:1234", "tcp", "localhost.example.com:1234", false},
		{"docker-container://mlbuild-buildkitd", "", "", true},
		{"kube-pod://buildkitd-0?namespace=ci", "", "", true},
		{"ssh://user@host", "", "", true},
	} {
		a, err := parseAddress(c.text, SourceAddr)
		if err != nil || a.network != c.network || a.target != c.target || a.loopback() != c.loopback {
			t.Errorf("%s: %+v, loopback %t, %v", c.text, a, a.loopback(), err)
		}
	}
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/run/buildkit/buildkitd.sock":        "did you mean unix:///run/buildkit/buildkitd.sock?",
		"127.0.0.1:1234":                      "did you mean tcp://127.0.0.1:1234?",
		"unix://run/b.sock":                   "write unix:///run/b.sock, with three slashes",
		"unix://":                             "has no path",
		"unix:///" + strings.Repeat("x", 107): "longer than a socket path",
		"tcp://builder.example.com":           "has no port",
		"tcp://:1234":                         "has no host",
		"tcp://h:1234/v2":                     "more than host and port",
		"tcp://user:pw@h:1234":                "more than host and port",
		"http://builder.example.com":          "unknown scheme http://",
		"docker-container://":                 "names nothing",
		"tcp://h:port":                        "is not an address",
		"":                                    "is not an address",
	} {
		_, err := parseAddress(text, SourceEnv)
		all := fault.All(err)
		if len(all) != 1 || all[0].Code != fault.Daemon || all[0].Retry {
			t.Errorf("%q: %v", text, err)
			continue
		}
		said := all[0].Message + "\n" + strings.Join(all[0].Hints, "\n")
		if !strings.Contains(said, want) || !strings.Contains(said, "BUILDKIT_HOST") || !strings.Contains(said, "kube-pod://") {
			t.Errorf("%q: %q lacks %q", text, said, want)
		}
	}
}

func TestDirs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		uid                                 int
		home, data, runtime, state, sockets string
	}{
		{0, "/root", "/x", "/y", "/var/lib/mlbuild", "/run/mlbuild"},
		{1000, "/home/a", "", "/run/user/1000", "/home/a/.local/share/mlbuild", "/run/user/1000/mlbuild"},
		{1000, "/home/a", "/data", "", "/data/mlbuild", "/data/mlbuild/run"},
	} {
		state, sockets := Dirs(c.uid, c.home, c.data, c.runtime)
		if state != c.state || sockets != c.sockets {
			t.Errorf("%+v: %s, %s", c, state, sockets)
		}
	}
}
