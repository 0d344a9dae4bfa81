package llb

import (
	_ "embed"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var (
	//go:embed aptinstall.sh
	aptInstallScript string
	// aptCleanScript ends a step in which apt or dpkg installs: no list, no archive, no log and no cache that the next run would write differently
	// stays, and what is newer than /tmp/.mlbuild-start gets one time.
	//go:embed aptclean.sh
	aptCleanScript string
)

// aptInstalled is the base with Debian packages that apt installed, as a step of stage s. Lists and archives are cache mounts; an empty file over docker-clean
// keeps the archives in the mount.
func aptInstalled(base bkllb.State, packages []string, a recipe.Apt, in Inputs, p ocispecs.Platform, s stage) bkllb.State {
	empty := bkllb.Scratch().File(bkllb.Mkfile("/empty", 0o644, nil), s.named("keep downloaded packages"))
	opts := []bkllb.RunOption{
		debconfAnswers(a),
		bkllb.Args(append([]string{"/bin/sh", "-eu", aptScriptPath}, packages...)),
		aptCache("/var/cache/apt", in.Base, p), aptCache("/var/lib/apt/lists", in.Base, p),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.AddMount("/etc/apt/apt.conf.d/docker-clean", empty, bkllb.SourcePath("/empty"), bkllb.Readonly),
		bkllb.Platform(p), s.named("apt-get install %s", strings.Join(packages, " ")),
	}
	opts = append(opts, aptOptions(aptInstallScript+aptCleanScript, a, nil, nil, s)...)
	return base.Run(append(opts, in.Network.options(aptCA)...)...).Root()
}

// debconfAnswers hands the project's answers to a step in which dpkg configures packages. They are a variable of that step alone.
func debconfAnswers(a recipe.Apt) bkllb.RunOption {
	if len(a.Debconf) == 0 {
		return bkllb.With(func(s bkllb.State) bkllb.State { return s })
	}
	return bkllb.AddEnv("MLBUILD_DEBCONF", strings.Join(a.Debconf, "\n"))
}

// systemLayer is what installing changed, as one layer over nothing.
func systemLayer(base, installed bkllb.State, s stage) bkllb.State {
	s.noCache = nil
	return bkllb.Diff(base, installed, s.named("files of the system packages"))
}

// distro keys the cache mounts; an unknown distribution has mounts of its own.
func (b Base) distro() string {
	if b.Distro != "" {
		return b.Distro
	}
	name, _, _ := strings.Cut(b.Ref, "@")
	return strings.NewReplacer("/", "_", ":", "_").Replace(name)
}
