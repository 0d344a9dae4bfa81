package llb

import (
	"fmt"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// Part returns the part of the definition that makes some of the image's own layers, and nothing between them; with base, on the base. The layers are indexes into
// Plan.Layers in ascending order. It is nil where the graph does not say what its layers are made from, or nothing is asked for. The part is cut out of the encoded graph, because a project's ten thousand
// files take as long to compile as to read.
func (g *Graph) Part(base bool, layers []int) (*pb.Definition, error) {
	if len(g.Lineage.Layers) != len(g.Plan.Layers) || base && g.Lineage.Base == nil {
		return nil, nil
	}
	var wanted []*pb.Input
	if base {
		wanted = append(wanted, g.Lineage.Base)
	}
	for _, at := range layers {
		wanted = append(wanted, g.Lineage.Layers[at])
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	return g.cut(wanted)
}

// cut returns the definition of some outputs one over the other, with the names and groups that its operations have.
func (g *Graph) cut(tops []*pb.Input) (*pb.Definition, error) {
	part := &partDefinition{from: g.Definition, Definition: &pb.Definition{Metadata: map[string]*pb.OpMetadata{}}}
	wanted := map[string]bool{}
	for _, top := range tops {
		g.Lineage.reach(top.Digest, wanted)
	}
	for _, data := range g.Definition.Def {
		if wanted[digest.FromBytes(data).String()] {
			part.keep(data, data)
		}
	}
	top := tops[0]
	if len(tops) > 1 {
		whole := g.Definition.Def[len(g.Definition.Def)-2] // the merge of all, made last
		data, err := mergeOf(whole, tops)
		if err != nil {
			return nil, err
		}
		part.keep(data, whole)
		top = &pb.Input{Digest: digest.FromBytes(data).String()}
	}
	data, err := (&pb.Op{Inputs: []*pb.Input{top}}).MarshalVT()
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

// mergeOf encodes a merge like another of other inputs.
func mergeOf(like []byte, tops []*pb.Input) ([]byte, error) {
	op := &pb.Op{}
	if err := op.UnmarshalVT(like); err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	merge := &pb.MergeOp{}
	op.Inputs, op.Op = tops, &pb.Op_Merge{Merge: merge}
	for i := range tops {
		merge.Inputs = append(merge.Inputs, &pb.MergeInput{Input: int64(i)})
	}
	data, err := op.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode a part of the definition: %w", err)
	}
	return data, nil
}

// reach notes a vertex and all that it is made from.
func (l Lineage) reach(vertex string, into map[string]bool) {
	if into[vertex] {
		return
	}
	into[vertex] = true
	for _, in := range l.Inputs[vertex] {
		l.reach(in, into)
	}
}
