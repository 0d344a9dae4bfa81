package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// variable is a variable of the environment that the program reads.
type variable struct{ name, what string }

// variableGroups are all of them, by what they are about.
var variableGroups = []struct {
	title     string
	variables []variable
}{
	{"The build daemon", []variable{
		{"BUILDKIT_HOST", "address of the daemon, in place of --addr"},
		{"BUILDKIT_TLS_CACERT", "CA certificate file to verify the daemon with, in place of --tlscacert"},
		{"BUILDKIT_TLS_CERT", "client certificate file, in place of --tlscert"},
		{"BUILDKIT_TLS_KEY", "client key file, in place of --tlskey"},
		{"BUILDKIT_TLS_DIR", "directory with these three files, in place of --tlsdir"},
		{"BUILDKIT_TLS_SERVER_NAME", "name in the daemon's certificate, in place of --tlsservername"},
		{"DOCKER_HOST", "where docker listens, for --load and for daemons that run in docker"},
		{"MLBUILD_ALLOW_PLAIN_TCP", "true: --allow-plain-tcp"},
		{"MLBUILD_BUILDKITD", "path of the buildkitd to start as the local daemon, in place of the one beside mlbuild"},
		{"MLBUILD_DAEMON_CONFIG", "file with settings for the local daemon, in place of --daemon-config"},
		{"MLBUILD_STATE_DIR", "directory for everything that mlbuild keeps on this machine: the local daemon's state and cache, and what the client knows of projects"},
	}},
	{"The build", []variable{
		{"BUILDKIT_PROGRESS", "mode of the progress display, in place of --progress"},
		{"MLBUILD_COMPAT", "file with the tables of what fits together, in place of the program's and of those that mlbuild compat update keeps"},
		{"MLBUILD_TRUST_KEY", "key files, separated as in PATH, in place of --trust-key"},
		{"SOURCE_DATE_EPOCH", "time of everything that the build makes, in seconds since 1970; default: the time of the git commit, or a fixed one"},
		{"SSH_AUTH_SOCK", "socket of the agent that --ssh default offers to steps"},
		{"SSL_CERT_FILE", "PEM file of a CA, in place of --ca-cert"},
	}},
	{"Registries", []variable{
		{"DOCKER_CONFIG", "directory of docker's config.json, whose credentials are used; default: ~/.docker"},
		{"REGISTRY_AUTH_FILE", "file of credentials in podman's format"},
	}},
	{"Proxies", []variable{
		{"HTTP_PROXY", "proxy for http://; it and the following go to steps with network too; also in lower case"},
		{"HTTPS_PROXY", "proxy for https://"},
		{"FTP_PROXY", "proxy for ftp://"},
		{"ALL_PROXY", "proxy for everything else"},
		{"NO_PROXY", "hosts that are reached without a proxy"},
	}},
	{"CI systems", []variable{
		{"ACTIONS_CACHE_SERVICE_V2", "true: the second version of GitHub's cache, for type=gha"},
		{"ACTIONS_CACHE_URL", "address of GitHub's cache, for type=gha"},
		{"ACTIONS_RESULTS_URL", "address of the second version of GitHub's cache, for type=gha"},
		{"ACTIONS_RUNTIME_TOKEN", "token for GitHub's cache, for type=gha"},
		{"CI_PROJECT_DIR", "directory of the repository, in GitLab CI"},
		{"GITHUB_ACTIONS", "true: faults are annotations, and the step gets a summary"},
		{"GITHUB_STEP_SUMMARY", "file of the step's summary, in GitHub Actions"},
		{"GITHUB_WORKSPACE", "directory of the repository, in GitHub Actions"},
		{"GITLAB_CI", "true: paths in reports are those of the repository"},
	}},
	{"The system", []variable{
		{"GOGC", "how often the client collects memory, as in every Go program"},
		{"HOME", "home directory; USERPROFILE if it is not set"},
		{"LOGNAME", "the user's name if USER is not set"},
		{"NO_COLOR", "anything: no colours"},
		{"PATH", "where docker, podman, git, runc and credential helpers are found"},
		{"TERM", "dumb: no colours"},
		{"USER", "the user's name, for a rootless local daemon"},
		{"USERPROFILE", "home directory if HOME is not set"},
		{"XDG_CACHE_HOME", "directory of a user's caches: a mlbuild made by go install keeps the programs that run on the daemon there; default: ~/.cache"},
		{"XDG_CONFIG_HOME", "directory of settings, for podman's credentials and updated compatibility tables"},
		{"XDG_DATA_HOME", "directory of a user's data: the state is in mlbuild below it"},
		{"XDG_RUNTIME_DIR", "directory of a user's sockets, for the local daemon and rootless ones"},
	}},
}

// environmentCommand is a page of the help without a command.
func environmentCommand() *cobra.Command {
	return &cobra.Command{Use: environmentPage, Short: "The variables of the environment"}
}

// writeEnvironment writes the page of the variables.
func writeEnvironment(b *strings.Builder, columns int) {
	b.WriteString(paragraphs("The variables of the environment that mlbuild reads. A flag takes precedence over its variable.", columns))
	for _, g := range variableGroups {
		var rows [][2]string
		for _, v := range g.variables {
			rows = append(rows, [2]string{v.name, v.what})
		}
		b.WriteString("\n" + g.title + ":\n")
		writeRows(b, rows, columns)
	}
}
