package ops

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/counts"
)

// StepKind is what a step does, as far as its failure has causes that can be named.
type StepKind string

// The kinds.
const (
	StepDownload    StepKind = "download"     // the daemon fetches a file; Name is the file's, of a model that of the model's file
	StepFetchModel  StepKind = "fetch-model"  // a program of ours fetches a file of a model; Name as of StepDownload
	StepCheckout    StepKind = "checkout"     // the daemon fetches a git repository; Name is the package that is built from it
	StepModelGit    StepKind = "model-git"    // the daemon fetches a model's git repository; Name is the model
	StepUnpackModel StepKind = "unpack-model" // a program of ours unpacks the archive of a model; Name is the model
	StepBuildWheel  StepKind = "build-wheel"  // a package is built from source; Name is the package
	StepCopy        StepKind = "copy"         // files of another image or of a build step are copied
	StepOwn         StepKind = "own"          // commands of the project; Name is the step's
	StepTest        StepKind = "test"         // the project's tests
	StepCheck       StepKind = "check"        // a program of ours checks the image
)

// Step is what a vertex of a definition is for.
type Step struct {
	Kind  StepKind
	Name  string
	Title string // what people read of it, without its group
	Size  int64  // of a download, in bytes; 0 = unknown
}

// Steps are the steps of definitions by the digests of their vertices. A vertex whose failure needs no name of its own is not among them.
type Steps map[digest.Digest]Step

// Keys of a vertex's description. The first is BuildKit's; the others stay on this side.
const (
	describedName = "llb.customname"
	describedKind = "mlbuild.kind"
	describedOf   = "mlbuild.of"
	describedSize = "mlbuild.size"
)

// Step returns the option that names a vertex as Named does, and notes for Marshal what it is for.
func (g Group) Step(kind StepKind, name, format string, args ...any) Constraints {
	return g.described(map[string]string{describedName: g.name(format, args...), describedKind: string(kind), describedOf: name})
}

// Download returns the option for the vertex of a download by the daemon: of a file, with its size in bytes, 0 = unknown.
func Download(file string, size int64) Constraints {
	title := file
	if size > 0 {
		title += " (" + counts.Bytes(size) + ")"
	}
	g := Group{ID: GroupDownload}
	return g.described(map[string]string{
		describedName: g.name("%s", title), describedKind: string(StepDownload), describedOf: file, describedSize: strconv.FormatInt(size, 10),
	})
}

// Marshal encodes a state and all that it is made from as a definition for a platform, and returns what its steps are for. what names the state in an
// error: "the graph of cpu".
func Marshal(s bkllb.State, p ocispecs.Platform, what string) (*pb.Definition, Steps, error) {
	def, err := Encode(s, p, what)
	if err != nil {
		return nil, nil, err
	}
	steps := StepsOf(def)
	return def.ToPB(), steps, nil
}

// Encode is Marshal for those who ask the vertices how they were encoded, which they remember for the definition's constraints.
func Encode(s bkllb.State, p ocispecs.Platform, what string) (*bkllb.Definition, error) {
	def, err := s.Marshal(context.Background(), bkllb.Platform(p))
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", what, err)
	}
	return def, nil
}

// StepsOf takes out of a definition what its steps are for.
func StepsOf(def *bkllb.Definition) Steps {
	steps := Steps{}
	for d, m := range def.Metadata {
		if kind := m.Description[describedKind]; kind != "" {
			group := "[" + m.ProgressGroup.GetName() + "] "
			size, _ := strconv.ParseInt(m.Description[describedSize], 10, 64) // of other steps there is none
			steps[d] = Step{StepKind(kind), m.Description[describedOf], strings.TrimPrefix(m.Description[describedName], group), size}
			delete(m.Description, describedKind)
			delete(m.Description, describedOf)
			delete(m.Description, describedSize)
		}
	}
	return steps
}
