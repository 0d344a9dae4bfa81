package llb

import (
	"fmt"
	"path"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// aptScript installs the packages given as arguments and leaves nothing of apt behind but the packages: no list, no
// archive, no log, no cache that the next run would write differently. What it wrote gets one fixed time.
const aptScript = `set -eu
touch /tmp/.mlbuild-start
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache \
  /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/lib/apt/extended_states
find / -xdev -newer /tmp/.mlbuild-start ! -type l -exec touch -d @%d {} + 2>/dev/null || true
`

// systemState installs Debian packages on the base. Lists and archives are cache mounts, one per distribution and platform,
// locked because apt cannot share them; an empty file over docker-clean keeps the archives in the mount.
func systemState(base bkllb.State, packages []string, in Inputs, p ocispecs.Platform) bkllb.State {
	s := stage{id: "system", title: "system packages", noCache: in.NoCache}
	cache := func(dir string) bkllb.RunOption {
		id := path.Join("mlbuild/apt", in.Base.distro(), p.OS+"-"+p.Architecture, path.Base(dir))
		return bkllb.AddMount(dir, bkllb.Scratch(), bkllb.AsPersistentCacheDir(id, bkllb.CacheMountLocked))
	}
	empty := bkllb.Scratch().File(bkllb.Mkfile("/empty", 0o644, nil), s.named("keep downloaded packages"))
	opts := []bkllb.RunOption{
		bkllb.Args(append([]string{"/bin/sh", "-c", fmt.Sprintf(aptScript, 0), "sh"}, packages...)),
		cache("/var/cache/apt"), cache("/var/lib/apt/lists"),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.AddMount("/etc/apt/apt.conf.d/docker-clean", empty, bkllb.SourcePath("/empty"), bkllb.Readonly),
		bkllb.Platform(p), s.named("apt-get install %s", strings.Join(packages, " ")),
	}
	return base.Run(append(opts, in.Network.options(aptCA)...)...).Root()
}

// systemLayer is what installing changed, as one layer over nothing.
func systemLayer(base, installed bkllb.State) bkllb.State {
	return bkllb.Diff(base, installed, stage{id: "system", title: "system packages"}.named("files of the system packages"))
}

// distro keys the cache mounts; an unknown distribution has mounts of its own.
func (b Base) distro() string {
	if b.Distro != "" {
		return b.Distro
	}
	name, _, _ := strings.Cut(b.Ref, "@")
	return strings.NewReplacer("/", "_", ":", "_").Replace(name)
}
