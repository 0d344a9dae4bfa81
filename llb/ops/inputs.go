package ops

import (
	"slices"
	"strings"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// HelperStore is the content store in which a client offers the helpers, by their digests.
const HelperStore = "mlbuild/helper"

// ProjectLocal is the local source under which a client offers the project's directory.
const ProjectLocal = "mlbuild-project"

// AboveLocal is likewise that of the root of the project's workspace, where that lies above.
const AboveLocal = ProjectLocal + "-above"

// HelperFile is the name of the program in the root that a helper runs in.
const HelperFile = "mlbuild-unpack"

// CASecret is the id of the secret that holds a corporate CA bundle (PEM).
const CASecret = "mlbuild-ca"

// Helpers are the digests (sha256:<hex>) of the helper programs, and where the daemon gets them from.
type Helpers struct {
	Wheels     string // unpacks wheels, on Worker
	Packages   string // unpacks system packages, on Worker
	StepWorker string // mlbuild-step for Worker
	StepTarget string // mlbuild-step for the platform that is built
	Checks     string // mlbuild-check for that platform
	// Image holds the helpers where no client offers them; nil = one does.
	Image *HelperImage
}

// Base is an image that was looked up, or what NewPackageBase returns for a base that is made of packages.
type Base struct {
	Ref        string                    // pinned: name@sha256:…; of packages: the recipe's own name for it
	OfPackages bool                      // there is no image: the packages of the list are all there is
	Config     dockerspec.DockerOCIImage // of the platform that is built
	Distro     string                    // "debian-bookworm", "ubuntu-22.04"; "" = unknown
}

// Session says through which client session the local files come. The zero value leaves it to whoever sends the
// definition, as buildctl does.
type Session struct {
	ID string // session that offers the locals
	// Project is the project's directory where the daemon has it from another client than mlbuild; nil = a client offers it.
	Project *Tree
}

// Network is what steps with network access are given.
type Network struct {
	CA    bool // CASecret is offered: mount it, and point the usual variables at it
	Proxy Proxy
}

// Proxy holds the proxy variables of network steps; they are in no cache key and in no image. One with a password is secret: a definition lies in the daemon's records of builds.
type Proxy struct {
	HTTP, HTTPS, FTP, No, All string
	Secret                    string // names of those that come as secrets, "HTTP_PROXY HTTPS_PROXY"
}

// SystemPath is the PATH of an image that sets none.
const SystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// WithVariable returns the base with a variable that its image does not set itself; "" sets none.
func (b Base) WithVariable(name, value string) Base {
	if value != "" && b.Variable(name) == "" {
		b.Config.Config.Env = append(slices.Clone(b.Config.Config.Env), name+"="+value)
	}
	return b
}

// Variable returns the value of a variable of the image, "" if it sets none.
func (b Base) Variable(name string) string {
	for _, kv := range b.Config.Config.Env {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}
