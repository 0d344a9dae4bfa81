package llb

import (
	"crypto/sha256"
	"fmt"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// Sent gives the part of the definition that makes the one layer of files that the client sends (Layer.Sent). It is nil where there is no such layer, or more than
// one. It is cut out of the encoded graph, because a project's ten thousand files take as long to compile as to read.
func (g *Graph) Sent() (*pb.Definition, error) {
	places := g.Plan.SentPlaces()
	ops, err := readOperations(g.Definition.Def)
	if err != nil || len(places) != 1 {
		return nil, err
	}
	tops := ops.tops(len(g.Plan.Layers))
	if tops == nil {
		return nil, nil
	}
	return g.cut(ops, tops[places[0]-g.Plan.BaseLayers])
}

// cut gives the definition of one output of an operation, with the names and groups that its operations have.
func (g *Graph) cut(ops *operations, top edge) (*pb.Definition, error) {
	wanted := map[hash]bool{}
	ops.reach(top.of, wanted)
	part := &pb.Definition{Metadata: map[string]*pb.OpMetadata{}}
	keep := func(data []byte, from string) {
		name := digest.FromBytes(data).String()
		part.Def = append(part.Def, data)
		if md := g.Definition.Metadata[from]; md != nil {
			part.Metadata[name] = md
		}
	}
	for _, data := range g.Definition.Def {
		if wanted[sha256.Sum256(data)] {
			keep(data, digest.FromBytes(data).String())
		}
	}
	last := g.Definition.Def[len(g.Definition.Def)-1]
	result := &pb.Op{Inputs: []*pb.Input{{Digest: fmt.Sprintf("sha256:%x", top.of), Index: int64(top.output)}}}
	data, err := result.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode the definition of the project's files: %w", err)
	}
	keep(data, digest.FromBytes(last).String())
	return part, nil
}

// reach notes an operation and all that it is made from.
func (g *operations) reach(h hash, into map[hash]bool) {
	if into[h] {
		return
	}
	into[h] = true
	for _, in := range g.inputs[h] {
		g.reach(in.of, into)
	}
}
