package daemon

import (
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"

	// The connection helpers register their schemes.
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer"
	_ "github.com/moby/buildkit/client/connhelper/kubepod"
	_ "github.com/moby/buildkit/client/connhelper/nerdctlcontainer"
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer"
	_ "github.com/moby/buildkit/client/connhelper/ssh"
)

// maxSocketPath is the longest path of a unix socket, in bytes (sockaddr_un on Linux, less the final NUL).
const maxSocketPath = 107

const schemes = "unix:///path, tcp://host:port, docker-container://name, podman-container://name, " +
	"nerdctl-container://name, kube-pod://pod, ssh://host"

// address is a parsed daemon address. For unix and tcp, network and target are what net.Dial takes; for
// the rest a connection helper dials.
type address struct {
	text    string
	network string
	target  string
	host    string
}

func (a address) helper() bool { return a.network == "" }

// loopback reports whether plain text cannot be read on the way.
func (a address) loopback() bool {
	ip := net.ParseIP(a.host)
	return a.network != "tcp" || a.host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseAddress checks the form of an address. from names where it stands, for the message. All errors are
// fault.Daemon.
func parseAddress(text string, from Source) (address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || !strings.Contains(text, "://") {
		return address{}, badAddress(text, from, "is not an address")
	}
	a := address{text: text, host: u.Hostname()}
	switch u.Scheme {
	case "unix":
		return parseUnix(a, u, from)
	case "tcp":
		return parseTCP(a, u, from)
	case "docker-container", "podman-container", "nerdctl-container", "kube-pod", "ssh":
		if a.host == "" {
			return a, badAddress(text, from, "names nothing after "+u.Scheme+"://")
		}
		return a, nil
	}
	return a, badAddress(text, from, "has the unknown scheme "+u.Scheme+"://")
}

func parseUnix(a address, u *url.URL, from Source) (address, error) {
	a.network, a.target = "unix", u.Path
	switch {
	case u.Host != "":
		return a, badAddress(a.text, from, "is not an absolute path").Hint("write unix:///%s%s, with three slashes", u.Host, u.Path)
	case u.Path == "" || u.Path == "/":
		return a, badAddress(a.text, from, "has no path")
	case len(u.Path) > maxSocketPath:
		return a, badAddress(a.text, from, "is longer than a socket path can be (107 bytes)")
	}
	return a, nil
}

func parseTCP(a address, u *url.URL, from Source) (address, error) {
	a.network, a.target = "tcp", u.Host
	switch {
	case a.host == "":
		return a, badAddress(a.text, from, "has no host")
	case u.Port() == "":
		return a, badAddress(a.text, from, "has no port").Hint("write tcp://%s:1234; buildkitd's port is given by its own --addr", u.Host)
	case strings.Trim(u.Path, "/") != "" || u.User != nil:
		return a, badAddress(a.text, from, "has more than host and port")
	}
	return a, nil
}

func badAddress(text string, from Source, why string) *fault.Fault {
	f := fault.New(fault.Daemon, "the daemon address %q (%s) %s", text, from, why)
	if guess := guessAddress(text); guess != "" {
		f.Hint("did you mean %s?", guess)
	}
	return f.Hint("addresses are %s", schemes)
}

// guessAddress adds the scheme that is obviously missing.
func guessAddress(text string) string {
	if strings.Contains(text, "://") {
		return ""
	}
	if filepath.IsAbs(text) {
		return "unix://" + text
	}
	if host, port, err := net.SplitHostPort(text); err == nil && host != "" && port != "" {
		return "tcp://" + text
	}
	return ""
}
