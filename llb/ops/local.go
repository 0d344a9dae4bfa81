package ops

import (
	"net"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ServerName is how known_hosts(5) writes a host with or without a port.
func ServerName(host string) string {
	name, port, err := net.SplitHostPort(host)
	switch {
	case err != nil:
		return host
	case port == "22":
		return name
	}
	return "[" + name + "]:" + port
}

// LocalFiles sends files and directories of the project. Secrets and what .dockerignore names stay.
func LocalFiles(paths []string, r *recipe.Recipe, session Session, s Group) bkllb.State {
	return session.Files(Selection{paths, r.App.Ignore}, s.Named("send %s", strings.Join(paths, ", ")))
}

// PretendVariable is how setuptools-scm, and what stands on it, is told a version.
func PretendVariable(name string) string {
	return "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_" + EnvName(name)
}

// Machine is how wheels and ELF files name a platform's processor.
func Machine(p ocispecs.Platform) string {
	if p.Architecture == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}
