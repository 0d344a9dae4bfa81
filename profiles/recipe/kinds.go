package recipe

// Stage is a named state of the image that can be built by itself: what --target picks.
type Stage string

// The stages, from the bottom. Testing and Dev stand beside each other on the runtime.
const (
	StageBase    Stage = "base"
	StageBuilder Stage = "builder"
	StageModels  Stage = "models"
	StageRuntime Stage = "runtime"
	StageTesting Stage = "testing"
	StageDev     Stage = "dev"
)

// Stages are all stages in order.
var Stages = []Stage{StageBase, StageBuilder, StageModels, StageRuntime, StageTesting, StageDev}

// AcceleratorKind is what the image's code computes on.
type AcceleratorKind string

// The accelerators.
const (
	NoAccelerator AcceleratorKind = "none"
	CUDA          AcceleratorKind = "cuda"
	ROCm          AcceleratorKind = "rocm"
	XPU           AcceleratorKind = "xpu"
)

// BaseKind is what the image stands on. "" is an image of which nothing more is known.
type BaseKind string

// The kinds of base that more is known of than a reference.
const (
	BaseCUDA       BaseKind = "cuda"       // NVIDIA's image of a CUDA
	BasePyTorch    BaseKind = "pytorch"    // PyTorch's image of a release
	BaseTensorFlow BaseKind = "tensorflow" // TensorFlow's image of a release
	BaseDistroless BaseKind = "distroless" // an image without a shell and without apt
	BaseDebian     BaseKind = "debian"     // no image: Debian packages alone
)

// ModelKind is where a model comes from.
type ModelKind string

// The kinds of sources.
const (
	ModelHTTP  ModelKind = "http"
	ModelGit   ModelKind = "git"
	ModelHub   ModelKind = "huggingface"
	ModelS3    ModelKind = "s3"
	ModelGS    ModelKind = "gs"
	ModelDrive ModelKind = "gdrive"
	ModelFile  ModelKind = "file"
)

// HookPoint is a point in the making of the image after which commands of the project can run.
type HookPoint string

// The points.
const (
	AfterSystem   HookPoint = "system"
	AfterPackages HookPoint = "packages"
	AfterApp      HookPoint = "app"
)

// HookPoints are all points in order.
var HookPoints = []HookPoint{AfterSystem, AfterPackages, AfterApp}

// AptStrategy is how system packages come into the image. "" is each in the way that its scripts allow.
type AptStrategy string

// The strategies.
const (
	AptAlone  AptStrategy = "apt"    // apt installs all of them, in one layer
	AptLayers AptStrategy = "layers" // each package is a layer, and none may need apt
)

// AptStrategies are all strategies, sorted.
var AptStrategies = []AptStrategy{AptAlone, AptLayers}

// Compression is how the image's layers are compressed.
type Compression string

// The compressions.
const (
	Estargz      Compression = "estargz"
	Gzip         Compression = "gzip"
	Uncompressed Compression = "uncompressed"
	Zstd         Compression = "zstd"
)

// Compressions are all compressions, sorted.
var Compressions = []Compression{Estargz, Gzip, Uncompressed, Zstd}

// Texts returns the values of one of these types as plain texts, in order.
func Texts[S ~string](list []S) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = string(s)
	}
	return all
}
