package llb

import (
	_ "embed"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// A bare base has no image: its packages are layers like all others, over a foundation that no package brings.

// NewBare gives the base of a recipe of kind debian. Its environment is that of the official Python images.
func NewBare(r *recipe.Recipe, p ocispecs.Platform) Base {
	config := dockerspec.DockerOCIImage{Image: ocispecs.Image{Platform: p}}
	config.Config.Env = []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	config.Config.Cmd = []string{r.Base.Interpreter}
	return Base{Ref: r.Base.Ref, Bare: true, Config: config, Distro: r.Base.Kind + "-" + r.Base.Suite}
}

// BareLinks are the symbolic links of directories on a bare base, for an architecture of dpkg: those of a merged /usr (Debian 12 and newer have
// no other), and those of base-files.
func BareLinks(architecture string) []syslock.Link {
	links := []syslock.Link{{Path: "/bin", Target: "usr/bin"}, {Path: "/lib", Target: "usr/lib"}}
	if architecture == "amd64" {
		links = append(links, syslock.Link{Path: "/lib64", Target: "usr/lib64"})
	}
	return append(links, syslock.Link{Path: "/sbin", Target: "usr/sbin"}, syslock.Link{Path: "/var/lock", Target: "/run/lock"},
		syslock.Link{Path: "/var/run", Target: "/run"})
}

// Debian's own users and groups, which have the same ids on every system (Debian policy 9.2.2): the files of base-passwd of Debian 12 and 13.
var (
	//go:embed debian.passwd
	debianPasswd string
	//go:embed debian.group
	debianGroup string
)

// foundation is what a bare base has beside its packages: the links, Debian's users and groups, and the way to the CA certificates, which the
// package openssl has and only for that is not worth its size.
func foundation(links []syslock.Link) bkllb.State {
	dirs := []string{"/dev", "/etc", "/proc", "/sys", "/usr/lib/ssl"}
	for _, l := range links {
		dirs = append(dirs, path.Dir(l.Path))
	}
	a := (dirTable{}).mkdirs(dirs...)
	for _, l := range links {
		a.symlink(l.Target, l.Path)
	}
	a.symlink("/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ssl/cert.pem")
	a.symlink("/etc/ssl/certs", "/usr/lib/ssl/certs")
	a.mkfile("/etc/passwd", debianPasswd)
	a.mkfile("/etc/group", debianGroup)
	return settled(bkllb.Scratch().File(a.last, baseStage.named("directories, links and accounts")), baseStage)
}

// toRead is the base for steps that read its files. links are those of the list of packages.
func (b Base) toRead(p ocispecs.Platform, links []syslock.Link) bkllb.State {
	if b.Bare {
		return foundation(links)
	}
	return baseToRead(b, p)
}

// links are those that the list of the system packages names.
func (m *image) links() []syslock.Link {
	if m.in.System == nil {
		return nil
	}
	return m.in.System.Links
}

// baseInputs is what the layers are merged with: the base's image, nothing where the base is made of packages.
func (m *image) baseInputs() []bkllb.State {
	if m.in.Base.Bare {
		return nil
	}
	return []bkllb.State{m.base}
}

// bareBase makes the stage base an image, where the base is made of packages.
func (m *image) bareBase() error {
	if !m.in.Base.Bare {
		return nil
	}
	if err := CheckPackages(m.recipe, m.in.System); err != nil {
		return err
	}
	m.systemPackages()
	return nil
}

// needImage refuses to run apt on a base of packages.
func (m *image) needImage() error {
	if !m.in.Base.Bare {
		return nil
	}
	return fault.New(fault.Spec, "the base %s has no apt, and something has to be compiled", m.recipe.Base.Ref).
		Hint("publish the wheel, or take an image as the base: base: docker.io/library/python:%s-slim", m.recipe.Python.Version)
}

// scriptTools are packages that only maintainer scripts use. A bare base runs none, so apt is told that they are there; a project that wants one
// names it.
var scriptTools = []struct{ name, provides string }{
	{"adduser", ""}, {"debconf", "debconf-2.0"}, {"dpkg", ""}, {"init-system-helpers", ""}, {"install-info", ""}, {"lsb-base", ""}, {"mawk", "awk"},
	{"openssl", ""}, {"ucf", ""},
}

// bareStatus is a status file of dpkg with the tools of scripts, less those that are asked for.
func bareStatus(asked []string, architecture string) string {
	var b strings.Builder
	for _, p := range scriptTools {
		if slices.ContainsFunc(asked, func(a string) bool { return a == p.name || strings.HasPrefix(a, p.name+"=") }) {
			continue
		}
		b.WriteString("Package: " + p.name + "\nStatus: install ok installed\nArchitecture: " + architecture + "\nVersion: 9999\n")
		if p.provides != "" {
			b.WriteString("Provides: " + p.provides + "\n")
		}
		b.WriteString("Maintainer: mlbuild\nDescription: of maintainer scripts\n\n")
	}
	return b.String()
}
