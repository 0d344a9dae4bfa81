package lookup

import (
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// SSH is how git servers are reached by ssh.
type SSH struct {
	Agent      bool   // an agent was given, or nothing is fetched from them
	KnownHosts string // known_hosts(5)
}

// check says what is missing to reach a git server, fault.Secret each. what is reached, it says as the beginning of a sentence.
func (s SSH) check(what, server string) fault.List {
	var faults fault.List
	if !s.Agent {
		faults = append(faults, fault.New(fault.Secret, "%s, and no SSH agent was given", what).Hint("add --ssh default"))
	}
	if s.keysOf([]string{server}) == "" {
		faults = append(faults, fault.New(fault.Secret, "%s, and ~/.ssh/known_hosts does not say which key %s has", what, server).
			Hint("connect to it once with ssh, and look at its key: ssh git@%s", server))
	}
	return faults
}

// keysOf are the lines of known_hosts(5) that name the servers.
func (s SSH) keysOf(servers []string) string { return session.KnownHosts(s.KnownHosts, servers) }

// serversOf lists the git servers that packages come from by ssh.
func serversOf(wheels []pylock.Wheel) []string {
	var servers []string
	for _, w := range wheels {
		if s := wheelbuild.SSHServer(w); s != "" {
			servers = append(servers, s)
		}
	}
	return servers
}
