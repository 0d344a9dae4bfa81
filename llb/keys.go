package llb

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git's commits
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// keys names each layer by what makes it, in the order of the plan: the digest of its definition, and of the base where that is a part of it. They stand in the image's
// history, so that a later build knows of a layer without asking a daemon for it. A layer whose definition does not say all that goes into it has "": one
// with files of the project, a branch of a repository, or a download without a hash.
//
// The daemon's own platform, the network's CA and proxies, and sessions make no difference to a layer, so the keys are those of a graph
// for the platform below without any of them.
func (m image) keys(def *pb.Definition) ([]string, error) {
	g, err := m.plain(def)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(m.layers))
	for i, top := range g.tops(len(m.layers)) {
		if g.pinned[top.of] {
			keys[i] = top.key()
		}
	}
	return keys, nil
}

// anyWorker is the platform that stands for every daemon's own.
var anyWorker = ocispecs.Platform{OS: "linux", Architecture: "amd64"}

// plain reads the image's definition on a daemon of that platform, in a network without a CA or proxies: the given one, if that is what it is.
func (m image) plain(def *pb.Definition) (*operations, error) {
	in := m.in.Inputs
	in.Worker, in.Network = anyWorker, ops.Network{}
	if in.Reference != (ops.Helpers{}) {
		in.Helpers = in.Reference
	}
	g, err := readOperations(def.Def)
	if err != nil {
		return nil, err
	}
	if m.in.Worker.Architecture == anyWorker.Architecture && m.in.Helpers == in.Helpers && (m.in.Network == in.Network || !g.online) {
		return g, nil
	}
	same, err := assemble(m.recipe, in)
	if err != nil {
		return nil, err
	}
	if def, _, err = same.marshal(); err != nil {
		return nil, err
	}
	return readOperations(def.Def)
}

// operations is what the keys need to know of a definition. It is read from the encoded form: decoding every operation would cost a third of a compilation.
type operations struct {
	inputs map[hash][]edge
	merges map[hash]bool
	pinned map[hash]bool // everything that the operation is made from is named by its contents
	sent   map[hash]bool // it is made from files that a client sends
	online bool          // a program runs that may reach the network
	last   []edge        // the one input of the last operation is what the definition gives
}

// hash is the sha256 of an encoded operation.
type hash [sha256.Size]byte

// edge is one output of an operation.
type edge struct {
	of     hash
	output uint64
}

// key names what an output is made from.
func (e edge) key() string {
	return digest.FromString(fmt.Sprintf("sha256:%x\n%d", e.of, e.output)).String()
}

// Numbers of fields of the messages Op, Input, ExecOp and SourceOp (BuildKit solver/pb/ops.proto).
const (
	opInputs, opExec, opSource    = 1, 2, 3
	opMerge                       = 6
	execNetwork                   = 3
	inputDigest, inputIndex       = 1, 2
	sourceIdentifier, sourceAttrs = 1, 2
	entryKey                      = 1
)

// readOperations reads a definition, in which every operation follows its inputs.
func readOperations(def [][]byte) (*operations, error) {
	g := &operations{inputs: map[hash][]edge{}, merges: map[hash]bool{}, pinned: map[hash]bool{}, sent: map[hash]bool{}}
	for _, data := range def {
		if err := g.add(data); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *operations) add(data []byte) error {
	d, pinned, sent := hash(sha256.Sum256(data)), true, false
	g.last = nil
	err := fields(data, func(n protowire.Number, value []byte, _ uint64) error {
		switch n {
		case opInputs:
			e, err := readEdge(value)
			if err != nil {
				return err
			}
			g.last = append(g.last, e)
			pinned, sent = pinned && g.pinned[e.of], sent || g.sent[e.of]
		case opSource:
			id, p, err := pinnedSource(value)
			if err != nil {
				return err
			}
			pinned, sent = pinned && p, sent || strings.HasPrefix(id, "local://")
		case opExec:
			on, err := online(value)
			g.online = g.online || on
			return err
		case opMerge:
			g.merges[d] = true
		}
		return nil
	})
	g.inputs[d], g.pinned[d], g.sent[d] = g.last, pinned, sent
	return err
}

// fields calls each with every field of an encoded message: with the bytes of one that has a length, or with the number of a varint.
func fields(data []byte, each func(n protowire.Number, value []byte, number uint64) error) error {
	for len(data) > 0 {
		n, kind, used := protowire.ConsumeField(data)
		if used < 0 {
			return fmt.Errorf("read the definition: %w", protowire.ParseError(used))
		}
		_, _, tag := protowire.ConsumeTag(data)
		value, number := data[tag:used], uint64(0)
		switch kind {
		case protowire.BytesType:
			value, _ = protowire.ConsumeBytes(value)
		case protowire.VarintType:
			number, _ = protowire.ConsumeVarint(value)
		}
		if err := each(n, value, number); err != nil {
			return err
		}
		data = data[used:]
	}
	return nil
}

func readEdge(input []byte) (e edge, err error) {
	err = fields(input, func(n protowire.Number, value []byte, number uint64) error {
		switch n {
		case inputDigest:
			if _, err := hex.Decode(e.of[:], bytes.TrimPrefix(value, []byte("sha256:"))); err != nil {
				return fmt.Errorf("read the definition: an input is %q: %w", value, err)
			}
		case inputIndex:
			e.output = number
		}
		return nil
	})
	return e, err
}

// tops are the inputs of the definition's merge that stand for the layers: all but a base's. It is nil where the graph is something else.
func (g *operations) tops(layers int) []edge {
	if len(g.last) != 1 {
		return nil
	}
	merge := g.last[0].of
	if n := len(g.inputs[merge]) - layers; g.merges[merge] && (n == 0 || n == 1) {
		return g.inputs[merge][n:]
	}
	if layers == 1 {
		return g.last
	}
	return nil
}

// base is the input of the definition's merge that stands for the base, nil where there is none.
func (g *operations) base(layers int) []edge {
	if len(g.last) == 1 && g.merges[g.last[0].of] && len(g.inputs[g.last[0].of]) == layers+1 {
		return g.inputs[g.last[0].of][:1]
	}
	return nil
}

// online reports whether the program of an encoded ExecOp may reach the network.
func online(exec []byte) (bool, error) {
	mode := pb.NetMode_UNSET
	err := fields(exec, func(n protowire.Number, _ []byte, number uint64) error {
		if n == execNetwork {
			mode = pb.NetMode(number)
		}
		return nil
	})
	return mode != pb.NetMode_NONE, err
}

// pinnedSource returns the identifier of an encoded SourceOp, and reports whether it can only give one content.
func pinnedSource(source []byte) (id string, pinned bool, err error) {
	checked := false
	err = fields(source, func(n protowire.Number, value []byte, _ uint64) error {
		switch n {
		case sourceIdentifier:
			id = string(value)
		case sourceAttrs:
			return fields(value, func(n protowire.Number, value []byte, _ uint64) error {
				checked = checked || n == entryKey && (string(value) == pb.AttrHTTPChecksum || string(value) == pb.AttrGitChecksum)
				return nil
			})
		}
		return nil
	})
	scheme, name, _ := strings.Cut(id, "://")
	switch {
	case scheme == "local":
		return id, false, err
	case scheme == "http", scheme == "https", checked:
		return id, checked, err
	case scheme == "git":
		return id, namesCommit(name), err
	}
	return id, strings.Contains(name, "@sha256:"), err
}

// namesCommit reports whether a git source, repository#ref:directory, names a commit by its full hash.
func namesCommit(source string) bool {
	_, ref, _ := strings.Cut(source, "#")
	ref, _, _ = strings.Cut(ref, ":")
	_, err := hex.DecodeString(ref)
	return err == nil && len(ref) >= 2*sha1.Size
}
