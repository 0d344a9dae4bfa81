package buildertest

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/query"
)

// SomeSystem are lines of a project file that ask for a system package.
const SomeSystem = "python: {requirements: []}\nsystem: {runtime: [libgomp1]}\n"

// AptAnswer is what the step of apt leaves: packages "name version" of amd64.
func AptAnswer(removed string, packages ...string) map[string]string {
	text := "@base\narchitecture amd64\n@os\nID=debian\nVERSION_CODENAME=bookworm\n@links\n/bin -> usr/bin\n@installed\nii  dpkg 1.21.22 amd64\nii  zlib1g 1 amd64\n@removed\n" + removed + "@packages\n"
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		text += fmt.Sprintf("'http://deb.example/%s_%s_amd64.deb' %s_%s_amd64.deb 7 SHA256:%s\n", name, version, name, version, Zeros)
	}
	return map[string]string{query.SystemAnswer: text}
}

// Apt answers each question of apt with libgomp1 in a version, and each look-up with an image; it counts and remembers them.
type Apt struct {
	Gateway
	Version string
	Image   string // what the tag names
	Asked   atomic.Int64
	Last    atomic.Value // definition
	Lookups atomic.Value // identifier of the last
}

// NewApt returns one that answers with version 1.
func NewApt() *Apt {
	s := &Apt{Version: "1", Image: "image"}
	s.OnSolve = func(def string) (map[string]string, error) {
		if strings.Contains(def, query.SystemHandling) {
			return map[string]string{query.SystemHandling: `[{"package": "libgomp1", "way": "rules", "reason": "sets an alternative"}]`}, nil
		}
		s.Asked.Add(1)
		s.Last.Store(def)
		return AptAnswer("", "libgomp1 "+s.Version), nil
	}
	s.OnLookup = func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		s.Lookups.Store(op.Identifier)
		resp, err := AnImage(op)
		resp.Image.Digest = digest.FromString(s.Image)
		return resp, err
	}
	return s
}
