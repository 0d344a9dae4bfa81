package llb

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// Part returns the part of the definition that makes some of the image's own layers, and nothing between them; with base, on the base. The layers are indexes into
// Plan.Layers in ascending order. It is nil where the graph does not make each layer by itself. The part is cut out of the encoded graph, because a project's ten thousand
// files take as long to compile as to read.
func (g *Graph) Part(base bool, layers []int) (*pb.Definition, error) {
	ops, err := readOperations(g.Definition.Def)
	if err != nil {
		return nil, err
	}
	tops := ops.tops(len(g.Plan.Layers))
	var wanted []edge
	if base {
		wanted = slices.Clone(ops.base(len(g.Plan.Layers)))
	}
	if tops == nil || base && wanted == nil {
		return nil, nil
	}
	for _, at := range layers {
		wanted = append(wanted, tops[at])
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	return g.cut(ops, wanted)
}

// cut returns the definition of some outputs one over the other, with the names and groups that its operations have.
func (g *Graph) cut(ops *operations, tops []edge) (*pb.Definition, error) {
	part := &partDefinition{from: g.Definition, Definition: &pb.Definition{Metadata: map[string]*pb.OpMetadata{}}}
	wanted := map[hash]bool{}
	for _, top := range tops {
		ops.reach(top.of, wanted)
	}
	for _, data := range g.Definition.Def {
		if wanted[sha256.Sum256(data)] {
			part.keep(data, data)
		}
	}
	top := tops[0]
	if len(tops) > 1 {
		whole := g.find(ops.last[0].of)
		data, err := mergeOf(whole, tops)
		if err != nil {
			return nil, err
		}
		part.keep(data, whole)
		top = edge{of: sha256.Sum256(data)}
	}
	data, err := (&pb.Op{Inputs: []*pb.Input{top.input()}}).MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode a part of the definition: %w", err)
	}
	part.keep(data, g.Definition.Def[len(g.Definition.Def)-1])
	return part.Definition, nil
}

// partDefinition is a part of another definition.
type partDefinition struct {
	*pb.Definition
	from *pb.Definition
}

// keep adds an encoded operation, with the metadata that another has in the whole definition.
func (p *partDefinition) keep(data, like []byte) {
	p.Def = append(p.Def, data)
	if md := p.from.Metadata[digest.FromBytes(like).String()]; md != nil {
		p.Metadata[digest.FromBytes(data).String()] = md
	}
}

// find returns an encoded operation of the graph.
func (g *Graph) find(h hash) []byte {
	at := slices.IndexFunc(g.Definition.Def, func(data []byte) bool { return sha256.Sum256(data) == h })
	return g.Definition.Def[at]
}

// mergeOf encodes a merge like another of other inputs.
func mergeOf(like []byte, tops []edge) ([]byte, error) {
	op := &pb.Op{}
	if err := op.UnmarshalVT(like); err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	merge := &pb.MergeOp{}
	op.Inputs, op.Op = nil, &pb.Op_Merge{Merge: merge}
	for i, top := range tops {
		op.Inputs = append(op.Inputs, top.input())
		merge.Inputs = append(merge.Inputs, &pb.MergeInput{Input: int64(i)})
	}
	data, err := op.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode a part of the definition: %w", err)
	}
	return data, nil
}

// input is the edge as an operation names it.
func (e edge) input() *pb.Input {
	return &pb.Input{Digest: fmt.Sprintf("sha256:%x", e.of), Index: int64(e.output)}
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
