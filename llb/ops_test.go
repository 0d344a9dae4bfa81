package llb

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
)

// vertex is one operation of a graph as the daemon sees it.
type vertex struct {
	op     *pb.Op
	digest string // sha256 of the operation's bytes: what a daemon compares
	name   string
	meta   *pb.OpMetadata
}

// ops is a graph: every vertex in the order of the definition, inputs first. The last operation of a definition only points at the
// output and is left out.
type ops struct {
	t        *testing.T
	all      []vertex
	byDigest map[string]vertex
	output   string // digest of the result
}

func decode(t *testing.T, def *pb.Definition) ops {
	t.Helper()
	g := ops{t: t, byDigest: map[string]vertex{}}
	for i, data := range def.Def {
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatalf("operation %d: %v", i, err)
		}
		if i == len(def.Def)-1 {
			g.output = op.Inputs[0].Digest
			continue
		}
		sum := sha256.Sum256(data)
		v := vertex{op: op, digest: "sha256:" + hex.EncodeToString(sum[:])}
		v.meta = def.Metadata[v.digest]
		v.name = v.meta.GetDescription()["llb.customname"]
		g.all = append(g.all, v)
		g.byDigest[v.digest] = v
	}
	return g
}

// kind names the sort of an operation; a source by its scheme.
func (v vertex) kind() string {
	switch op := v.op.Op.(type) {
	case *pb.Op_Exec:
		return "exec"
	case *pb.Op_File:
		return "file"
	case *pb.Op_Merge:
		return "merge"
	case *pb.Op_Diff:
		return "diff"
	case *pb.Op_Source:
		scheme, _, _ := strings.Cut(op.Source.Identifier, "://")
		if scheme == "https" || scheme == "http" {
			return "http"
		}
		return scheme
	}
	return "unknown"
}

func (v vertex) attrs() map[string]string { return v.op.GetSource().GetAttrs() }

func (g ops) kinds(kind string) []vertex {
	var found []vertex
	for _, v := range g.all {
		if v.kind() == kind {
			found = append(found, v)
		}
	}
	return found
}

// named gives the only vertex whose name holds the text.
func (g ops) named(text string) vertex {
	g.t.Helper()
	var found []vertex
	for _, v := range g.all {
		if strings.Contains(v.name, text) {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		g.t.Fatalf("%d vertices are named %q, want 1; there are:\n%s", len(found), text, strings.Join(g.names(), "\n"))
	}
	return found[0]
}

func (g ops) names() []string {
	var names []string
	for _, v := range g.all {
		names = append(names, v.name)
	}
	return names
}

// inputs are the vertices that v reads, in order.
func (g ops) inputs(v vertex) []vertex {
	g.t.Helper()
	var in []vertex
	for _, i := range v.op.Inputs {
		from, ok := g.byDigest[i.Digest]
		if !ok {
			g.t.Fatalf("%s reads %s, which the definition does not hold", v.name, i.Digest)
		}
		in = append(in, from)
	}
	return in
}

// helperSteps are the execs that run mlbuild's own program.
func (g ops) helperSteps() []vertex {
	var found []vertex
	for _, v := range g.kinds("exec") {
		if v.op.GetExec().Meta.Args[0] == "/"+HelperFile {
			found = append(found, v)
		}
	}
	return found
}

func mount(v vertex, dest string) *pb.Mount {
	for _, m := range v.op.GetExec().Mounts {
		if m.Dest == dest {
			return m
		}
	}
	return nil
}

func environ(v vertex, name string) (value string, ok bool) {
	for _, kv := range v.op.GetExec().Meta.Env {
		if k, val, _ := strings.Cut(kv, "="); k == name {
			return val, true
		}
	}
	return "", false
}

// digests maps the name of each vertex of a kind to its digest.
func (g ops) digests(kind string) map[string]string {
	m := map[string]string{}
	for _, v := range g.kinds(kind) {
		m[v.name] = v.digest
	}
	return m
}

// wheelSteps maps the name of each unpacking step to the digest of its vertex, which covers all of its inputs.
func (g ops) wheelSteps() map[string]string {
	m := map[string]string{}
	for _, v := range g.helperSteps() {
		if !slices.Contains(v.op.GetExec().Meta.Args, "account") {
			m[strings.TrimPrefix(v.name, "[wheels] unpack ")] = v.digest
		}
	}
	return m
}
