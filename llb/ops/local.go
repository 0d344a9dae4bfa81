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
	return session.Files(Selection{Paths: paths, Ignore: r.App.Ignore}, s.Named("send %s", strings.Join(paths, ", ")))
}

// PackageFiles sends a package of the project's own code, or of its workspace above, with where it lies in what is sent.
func PackageFiles(name string, r *recipe.Recipe, session Session, s Group) (files bkllb.State, at string) {
	if inside, above := r.Above.InRoot(name); above {
		return AboveFiles([]string{inside}, r, session, s), inside
	}
	return LocalFiles([]string{name}, r, session, s), name
}

// AboveFiles sends files and directories of the workspace above the project, as they are seen from its root. What its .dockerignore names stays.
func AboveFiles(paths []string, r *recipe.Recipe, session Session, s Group) bkllb.State {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = r.Above.FromRoot(p)
	}
	return session.Files(Selection{Paths: paths, Ignore: r.Above.Ignore, Up: r.Above.Levels()}, s.Named("send %s", strings.Join(names, ", ")))
}

// PretendVariable is how setuptools-scm, and what stands on it, is told a version.
func PretendVariable(name string) string {
	return "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_" + EnvName(name)
}

// VersionVariables are how other tools that read a version off git's tags are told it: Poetry's and uv's plugins, PDM, pbr. Of several packages that are built by
// one step all are told the same.
var VersionVariables = []string{"PBR_VERSION", "PDM_BUILD_SCM_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS", "UV_DYNAMIC_VERSIONING_BYPASS"}

// Machine is how wheels and ELF files name a platform's processor.
func Machine(p ocispecs.Platform) string {
	if p.Architecture == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}
