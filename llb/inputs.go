package llb

import (
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Inputs is everything that Compile needs beside the recipe: what was looked up, and how this run differs from
// others (session, daemon). Nothing in it changes the layers but Base, Interpreter, Shared, Replaced, Images, Wheels, Extra, Needs, Checks, CUDA and the project's files, nor the config but these, Env, Reference and
// Epoch.
type Inputs struct {
	Base ops.Base
	// Interpreter is the absolute path of the base's Python, where it was looked for; "" = the recipe's.
	Interpreter string
	// Shared says that the packages of that Python are part of the image's environment, where the base was looked into; the recipe may say so too.
	Shared bool
	// Replaced are the packages of an environment of the base, where the image's own packages go, in whose place Wheels or Extra have others; sorted by name.
	Replaced []compat.Package
	// Env are the image's own variables: the recipe's, and what its CUDA wants of a host's driver (compat.Env). Nil = the recipe's.
	Env    []recipe.Pair
	Images map[string]ops.Base // the images of Recipe.Images, by the references there
	Wheels []pylock.Wheel      // one per package, sorted by name
	Extra  []pylock.Wheel      // those that only the stage of Target has, sorted by name
	Needs  map[string][]string // package → the packages that it needs, for bake steps that name theirs
	Build  wheelbuild.Inputs   // what packages are built with; zero where none is
	System *buildlock.System   // the system packages; nil = none, or plain apt is to find them
	// Checks are those that the image has to pass. CUDA is the version that its packages bring, "12.6"; "" = none, or unknown.
	Checks Checks
	CUDA   string
	// GPU is the CDI device of the daemon with which they run, "nvidia.com/gpu=all"; "" = none. Whoever builds the image elsewhere has another or none, so no key knows of it.
	GPU     string
	Models  []buildlock.Model // what the recipe's models are made of, in its order; a model without files is a directory of the project
	Tool    ops.Base          // the recipe's tool image, on Worker's platform; zero where NeedModelTool says no
	Worker  ocispecs.Platform // the daemon's own platform: helper steps run on it, without an emulator
	Helpers ops.Helpers
	// Reference are the helpers for linux/amd64: by them a layer is known, whatever platform its helper ran on. The zero value stands for Helpers.
	Reference ops.Helpers
	Session   ops.Session
	Network   ops.Network
	Epoch     time.Time    // the image's creation time
	Target    recipe.Stage // stage to build; "" = runtime
	NoCache   ops.NoCache  // their steps run again
}

// Checks says which checks stand before an image.
type Checks int

// The checks.
const (
	NoChecks      Checks = iota
	CheckPackages        // that what is installed works
	CheckAll             // also that the project's own files find their packages, the configuration its programs, and that the service does what the project says of it
)

// given are the inputs of one image: Target, Interpreter and Env are those that hold.
type given struct {
	Inputs
	platform ocispecs.Platform // the image's own: the recipe's, parsed
}

// setting is where the steps of the image's graph run.
func (in given) setting() ops.Setting {
	return ops.Setting{Platform: in.platform, Worker: in.Worker, Helpers: in.Helpers, Session: in.Session, Network: in.Network, NoCache: in.NoCache}
}
