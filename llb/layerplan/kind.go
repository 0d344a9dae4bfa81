package layerplan

// Kind is what a layer holds.
type Kind string

// The kinds, in the order in which they lie in an image.
const (
	KindPython   Kind = "python"   // a Python over a base without one
	KindBase     Kind = "base"     // directories, links and accounts of a base that is made of packages
	KindSystem   Kind = "system"   // Debian packages
	KindBuilder  Kind = "builder"  // compilers: the Debian packages of the builder stage
	KindAccount  Kind = "account"  // the image's user
	KindSkeleton Kind = "skeleton" // the empty environment, and directories
	KindReplaced Kind = "replaced" // takes away packages of the base in whose place the image has others
	KindBuild    Kind = "build"    // what a build step of the project made
	KindCopy     Kind = "copy"     // files of another image or of a build step
	KindWheels   Kind = "wheels"   // packages that are published as wheels
	KindBuilt    Kind = "built"    // a package that is built from source
	KindBytecode Kind = "bytecode" // compiled Python files of another layer
	KindModel    Kind = "model"    // a model, or a part of one
	KindCheck    Kind = "check"    // a file that says that what is installed was run
	KindBake     Kind = "bake"     // files that the project's code made
	KindApp      Kind = "app"      // the project's files, and their bytecode
	KindRun      Kind = "run"      // what commands on the image changed
	KindService  Kind = "service"  // a file that says that the image's service was tried
	KindTests    Kind = "tests"    // the project's tests
	KindDev      Kind = "dev"      // what developers have beside the runtime
)

// LoaderCache is the name of the layer of /etc/ld.so.cache, of KindSystem.
const LoaderCache = "the loader's cache"
