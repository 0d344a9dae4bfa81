package llb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// Lineage says what the layers of a graph are made from, so that a part of it can be cut out without decoding the whole.
type Lineage struct {
	Base   *pb.Input           // the base, nil where the image has none
	Layers []*pb.Input         // the outputs that are the layers, in the order of the plan
	Keys   []string            // of the layers: equal keys are equal layers. One with files of the client has "", for the graph does not say what is in them
	Inputs map[string][]string // of each vertex by its digest: the digests of those that it is made from
}

// Sent is what a layer with files of the client is made from, for whoever can say what is in them. The zero value is that of a layer without such files, and of one that is also
// made from what no contents are named of.
type Sent struct {
	Definition string          // key of all else that makes it: the same in every session
	Files      []ops.Selection // sorted by name
}

// Key names the layer where its files hold what the contents say, each the digest of a selection in the order of Files.
func (s Sent) Key(contents []digest.Digest) string {
	return digest.FromString(fmt.Sprintf("files\n%s\n%q", s.Definition, contents)).String()
}

// origin is an output, and what is known of all that it is made from.
type origin struct {
	*pb.Input
	pinned bool                     // everything is named by its contents
	sent   bool                     // there are files that a client sends
	known  bool                     // everything but them is named by its contents
	files  map[string]ops.Selection // those files, by the names of their sources
	plain  digest.Digest            // names the vertex in whatever session the files are sent; "" = none are
}

// key names what an output is made from.
func (o origin) key() string {
	return digest.FromString(fmt.Sprintf("%s\n%d", o.Digest, o.Index)).String()
}

// traced is what an image is made from.
type traced struct {
	base, layers []origin
	inputs       map[string][]string
	programs     [][]byte // the encoded vertices that run one
}

// online reports whether a program runs that may reach the network.
func (t traced) online() (bool, error) {
	for _, data := range t.programs {
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			return false, fmt.Errorf("decode a program: %w", err)
		}
		if op.GetExec().Network != pb.NetMode_NONE {
			return true, nil
		}
	}
	return false, nil
}

// trace returns what the image is made from. Where it was marshalled, c are the constraints of its definition: each vertex remembers how it was encoded under them.
func (m image) trace(c *bkllb.Constraints) (traced, error) {
	t := &tracer{constraints: c, known: map[bkllb.Vertex]origin{}, traced: traced{inputs: map[string][]string{}}}
	for _, state := range baseStates(m.in) {
		o, err := t.output(state.Output())
		if err != nil {
			return traced{}, fmt.Errorf("trace the base: %w", err)
		}
		t.base = append(t.base, o)
	}
	for _, l := range m.layers {
		o, err := t.output(l.State.Output())
		if err != nil {
			return traced{}, fmt.Errorf("trace the layer %s: %w", l.Name, err)
		}
		t.layers = append(t.layers, o)
	}
	return t.traced, nil
}

func (t traced) lineage() Lineage {
	l := Lineage{Inputs: t.inputs, Layers: make([]*pb.Input, len(t.layers)), Keys: make([]string, len(t.layers))}
	for _, o := range t.base {
		l.Base = o.Input
	}
	for i, o := range t.layers {
		l.Layers[i] = o.Input
		if !o.sent {
			l.Keys[i] = o.key()
		}
	}
	return l
}

// tracer follows outputs to what they are made from, by the vertices' own account.
type tracer struct {
	traced
	constraints *bkllb.Constraints
	known       map[bkllb.Vertex]origin
}

func (t *tracer) output(out bkllb.Output) (origin, error) {
	ctx := context.Background()
	o, err := t.vertex(ctx, out.Vertex(ctx, t.constraints))
	if err != nil {
		return origin{}, err
	}
	o.Input, err = out.ToInput(ctx, t.constraints)
	return o, err
}

func (t *tracer) vertex(ctx context.Context, v bkllb.Vertex) (origin, error) {
	if o, ok := t.known[v]; ok {
		return o, nil
	}
	o, inputs, plain := origin{pinned: true, known: true}, []string(nil), []string(nil)
	for _, in := range v.Inputs() {
		from, err := t.output(in)
		if err != nil {
			return origin{}, err
		}
		inputs = append(inputs, from.Digest)
		o.join(from)
		if from.sent {
			plain = append(plain, from.Digest, from.plain.String())
		}
	}
	name, data, md, _, err := v.Marshal(ctx, t.constraints)
	if err != nil {
		return origin{}, err
	}
	switch v.(type) { // other vertices are not decoded: a project's files may be ten thousand actions of one
	case *bkllb.ExecOp:
		t.programs = append(t.programs, data)
	case *bkllb.SourceOp:
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			return origin{}, fmt.Errorf("decode %s: %w", name, err)
		}
		o.source(op.GetSource(), md)
	}
	if len(plain) > 0 {
		o.plain = digest.FromString(strings.NewReplacer(plain...).Replace(string(data)))
	}
	t.inputs[name.String()], t.known[v] = inputs, o
	return o, nil
}

// join adds what one input is made from.
func (o *origin) join(from origin) {
	o.pinned, o.known, o.sent = o.pinned && from.pinned, o.known && from.known, o.sent || from.sent
	if len(from.files) > 0 && o.files == nil {
		o.files = map[string]ops.Selection{}
	}
	maps.Copy(o.files, from.files)
}

// source says of a source whether its contents are named, or which files of the client it is.
func (o *origin) source(source *pb.SourceOp, md *pb.OpMetadata) {
	o.pinned = pinned(source)
	o.sent, o.known = strings.HasPrefix(source.Identifier, "local://"), o.pinned
	if !o.sent {
		return
	}
	if s, ok, err := ops.SelectionOf(md); ok && err == nil {
		o.known, o.files = true, map[string]ops.Selection{s.Name(): s}
	}
	o.plain = digest.FromString(source.Identifier)
}

// sentKey is the key of an output that is made from files of the client too.
func (o origin) sentKey() Sent {
	s := Sent{Definition: digest.FromString(fmt.Sprintf("%s\n%d", o.plain, o.Index)).String()}
	for _, name := range slices.Sorted(maps.Keys(o.files)) {
		s.Files = append(s.Files, o.files[name])
	}
	return s
}
