package llb

import (
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// Names under which a client offers its files to the daemon: a content store and a local directory.
const (
	HelperStore  = "mlbuild/helper"  // content store with the helpers, by their digests
	ProjectLocal = "mlbuild-project" // the project's directory
	HelperFile   = "mlbuild-unpack"
)

// CASecret is the id of the secret that holds a corporate CA bundle (PEM).
const CASecret = "mlbuild-ca"

// Inputs is everything that Compile needs beside the recipe: what was looked up, and how this run differs from
// others (session, daemon). Nothing in it changes the layers but Base, Images, Wheels, Extra and the project's files, nor the config but these, Reference and Epoch.
type Inputs struct {
	Base    Base
	Images  map[string]Base   // the images of Recipe.Images, by the references there
	Wheels  []pylock.Wheel    // one per package, sorted by name
	Extra   []pylock.Wheel    // those that only the stage of Target has, sorted by name
	Build   BuildInputs       // what packages are built with; zero where none is
	System  *syslock.System   // the system packages; nil = none, or plain apt is to find them
	Models  []syslock.Model   // what the recipe's models are made of, in its order; a model without files is a directory of the project
	Tool    Base              // the recipe's tool image, on Worker's platform; zero where NeedModelTool says no
	Worker  ocispecs.Platform // the daemon's own platform: helper steps run on it, without an emulator
	Helpers Helpers
	// Reference are the helpers for linux/amd64: by them a layer is known, whatever platform its helper ran on. The zero value stands for Helpers.
	Reference Helpers
	Session   Session
	Network   Network
	Epoch     time.Time // the image's creation time
	Target    string    // stage to build; "" = runtime
	NoCache   Stages    // their steps run again
}

// Helpers are the digests (sha256:<hex>) of the helper programs.
type Helpers struct {
	Wheels   string // unpacks wheels, on Worker
	Packages string // unpacks system packages, on Worker
	OwnSteps string // mlbuild-step for Worker
	Steps    string // mlbuild-step for the platform that is built
}

// Base is an image that was looked up, or what NewBare gives for a base that is made of packages.
type Base struct {
	Ref    string                    // pinned: name@sha256:…; of packages: the recipe's own name for it
	Bare   bool                      // there is no image: the packages of the list are all there is
	Config dockerspec.DockerOCIImage // of the platform that is built
	Distro string                    // "debian-bookworm", "ubuntu-22.04"; "" = unknown
}

// Session says through which client session the local files come. The zero value leaves it to whoever sends the
// definition, as buildctl does.
type Session struct {
	ID        string // session that offers the locals
	SharedKey string // names this project's directory among all clients: the daemon keeps the last transfer under it
}

// Network is what steps with network access are given.
type Network struct {
	CA    bool // CASecret is offered: mount it, and point the usual variables at it
	Proxy Proxy
}

// Proxy holds the proxy variables of network steps; they are in no cache key and in no image.
type Proxy struct{ HTTP, HTTPS, FTP, No, All string }
