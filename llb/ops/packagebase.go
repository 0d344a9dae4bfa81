package ops

import (
	"path"

	bkllb "github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// NewPackageBase returns the base of a recipe of kind debian. There is no image: its packages are layers like all others, over a foundation that no
// package brings. Its environment is that of the official Python images.
func NewPackageBase(r *recipe.Recipe, p ocispecs.Platform) Base {
	config := dockerspec.DockerOCIImage{Image: ocispecs.Image{Platform: p}}
	config.Config.Env = []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	config.Config.Cmd = []string{r.Base.Interpreter}
	return Base{Ref: r.Base.Ref, OfPackages: true, Config: config, Distro: string(r.Base.Kind) + "-" + r.Base.Suite}
}

// PackageBaseLinks are the symbolic links of directories on a base of packages, for an architecture of dpkg: those of a merged /usr (Debian 12 and newer have
// no other), and those of base-files.
func PackageBaseLinks(architecture string) []buildlock.Link {
	links := []buildlock.Link{{Path: "/bin", Target: "usr/bin"}, {Path: "/lib", Target: "usr/lib"}}
	if architecture == "amd64" {
		links = append(links, buildlock.Link{Path: "/lib64", Target: "usr/lib64"})
	}
	return append(links, buildlock.Link{Path: "/sbin", Target: "usr/sbin"}, buildlock.Link{Path: "/var/lock", Target: "/run/lock"},
		buildlock.Link{Path: "/var/run", Target: "/run"})
}

// foundation is what a base of packages has beside its packages: the links, Debian's users and groups, and the way to the CA certificates, which the
// package openssl has and only for that is not worth its size.
func foundation(links []buildlock.Link) bkllb.State {
	dirs := []string{"/dev", "/etc", "/proc", "/sys", "/usr/lib/ssl"}
	for _, l := range links {
		dirs = append(dirs, path.Dir(l.Path))
	}
	a := (DirTable{}).Mkdirs(dirs...)
	for _, l := range links {
		a.Symlink(l.Target, l.Path)
	}
	a.Symlink("/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ssl/cert.pem")
	a.Symlink("/etc/ssl/certs", "/usr/lib/ssl/certs")
	a.Mkfile("/etc/passwd", scripts.DebianPasswd)
	a.Mkfile("/etc/group", scripts.DebianGroup)
	return Settled(bkllb.Scratch().File(a.Last, baseGroup.Named("directories, links and accounts")), baseGroup)
}

// ToRead is the base for steps that read its files. links are those of the list of packages.
func (b Base) ToRead(p ocispecs.Platform, links []buildlock.Link) bkllb.State {
	if b.OfPackages {
		return foundation(links)
	}
	return BaseToRead(b, p)
}
