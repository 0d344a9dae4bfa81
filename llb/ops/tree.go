package ops

import (
	"path"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/wheel"
)

// Tree is a file system that a daemon makes from a definition which somebody else has written.
type Tree struct{ state bkllb.State }

// NewTree returns the file system that a definition makes. The error says what is wrong with the definition.
func NewTree(def *pb.Definition) (*Tree, error) {
	op, err := bkllb.NewDefinitionOp(def)
	if err != nil {
		return nil, err
	}
	return &Tree{bkllb.NewState(op)}, nil
}

// HelperImage is an image whose program writes the helpers, for graphs that are solved in no session of mlbuild's (package builder/frontend).
type HelperImage struct {
	Root    *Tree
	Program string            // path of the program there, which takes the digest of a helper and the path that it is to be written to
	Worker  ocispecs.Platform // the platform of the program, on which it runs
}

// helperWritten is the directory that the program of a HelperImage writes into.
const helperWritten = "/out"

// write is a root that holds one of the helpers alone, as a file of a name; what says in words what it is.
func (h HelperImage) write(digest, file, what string) bkllb.State {
	return h.Root.state.Run(
		bkllb.Args([]string{h.Program, digest, path.Join(helperWritten, file)}), bkllb.Dir("/"), bkllb.Network(pb.NetMode_NONE), bkllb.ReadonlyRootFS(),
		bkllb.Platform(h.Worker), Group{ID: GroupHelper}.Named("take %s from the frontend's image", what),
	).AddMount(helperWritten, bkllb.Scratch())
}

// choose is what a selection chooses of the tree. A link to what is not chosen leads nowhere there.
func (t *Tree) choose(s Selection, name Constraints) bkllb.State {
	info := &bkllb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true, ExcludePatterns: s.Ignore, CreatedTime: &wheel.ModTime}
	for _, p := range s.Paths {
		if p == "." {
			info.IncludePatterns = nil
			break
		}
		info.IncludePatterns = append(info.IncludePatterns, literally.Replace(p))
	}
	return bkllb.Scratch().File(bkllb.Copy(t.state, "/", "/", info), name)
}

// literally makes a pattern of a path, which stands for it alone.
var literally = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
