package llbtest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// Vertex is one operation of a graph as the daemon sees it.
type Vertex struct {
	Op     *pb.Op
	Digest string // sha256 of the operation's bytes: what a daemon compares
	Name   string
	Meta   *pb.OpMetadata
}

// Graph is a definition: every vertex in the order of the definition, inputs first. The last operation of a definition only points at the
// output and is left out.
type Graph struct {
	T        *testing.T
	All      []Vertex
	ByDigest map[string]Vertex
	Output   string // digest of the result
}

// Decode reads a definition as a daemon does.
func Decode(t *testing.T, def *pb.Definition) Graph {
	t.Helper()
	g := Graph{T: t, ByDigest: map[string]Vertex{}}
	for i, data := range def.Def {
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatalf("operation %d: %v", i, err)
		}
		if i == len(def.Def)-1 {
			g.Output = op.Inputs[0].Digest
			continue
		}
		sum := sha256.Sum256(data)
		v := Vertex{Op: op, Digest: "sha256:" + hex.EncodeToString(sum[:])}
		v.Meta = def.Metadata[v.Digest]
		v.Name = v.Meta.GetDescription()["llb.customname"]
		g.All = append(g.All, v)
		g.ByDigest[v.Digest] = v
	}
	return g
}

// Kind names the sort of an operation; a source by its scheme.
func (v Vertex) Kind() string {
	switch op := v.Op.Op.(type) {
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

// Attrs returns the attributes of a source, nil for another operation.
func (v Vertex) Attrs() map[string]string { return v.Op.GetSource().GetAttrs() }

// Kinds returns the vertices of a kind, in order.
func (g Graph) Kinds(kind string) []Vertex {
	var found []Vertex
	for _, v := range g.All {
		if v.Kind() == kind {
			found = append(found, v)
		}
	}
	return found
}

// Named returns the only vertex whose name holds the text.
func (g Graph) Named(text string) Vertex {
	g.T.Helper()
	var found []Vertex
	for _, v := range g.All {
		if strings.Contains(v.Name, text) {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		g.T.Fatalf("%d vertices are named %q, want 1; there are:\n%s", len(found), text, strings.Join(g.Names(), "\n"))
	}
	return found[0]
}

// Names returns the names of all vertices, in order.
func (g Graph) Names() []string {
	var names []string
	for _, v := range g.All {
		names = append(names, v.Name)
	}
	return names
}

// Inputs are the vertices that v reads, in order.
func (g Graph) Inputs(v Vertex) []Vertex {
	g.T.Helper()
	var in []Vertex
	for _, i := range v.Op.Inputs {
		from, ok := g.ByDigest[i.Digest]
		if !ok {
			g.T.Fatalf("%s reads %s, which the definition does not hold", v.Name, i.Digest)
		}
		in = append(in, from)
	}
	return in
}

// HelperSteps are the execs that run mlbuild's own program.
func (g Graph) HelperSteps() []Vertex {
	var found []Vertex
	for _, v := range g.Kinds("exec") {
		if v.Op.GetExec().Meta.Args[0] == "/"+ops.HelperFile {
			found = append(found, v)
		}
	}
	return found
}

// Mount returns the mount of an exec at dest.
func Mount(v Vertex, dest string) *pb.Mount {
	for _, m := range v.Op.GetExec().Mounts {
		if m.Dest == dest {
			return m
		}
	}
	return nil
}

// Environ returns a variable of an exec.
func Environ(v Vertex, name string) (value string, ok bool) {
	for _, kv := range v.Op.GetExec().Meta.Env {
		if k, val, _ := strings.Cut(kv, "="); k == name {
			return val, true
		}
	}
	return "", false
}

// Digests maps the name of each vertex of a kind to its digest.
func (g Graph) Digests(kind string) map[string]string {
	m := map[string]string{}
	for _, v := range g.Kinds(kind) {
		m[v.Name] = v.Digest
	}
	return m
}

// WheelSteps maps the name of each unpacking step to the digest of its vertex, which covers all of its inputs.
func (g Graph) WheelSteps() map[string]string {
	m := map[string]string{}
	for _, v := range g.HelperSteps() {
		if command := v.Op.GetExec().Meta.Args[1]; command != "account" && command != "ldcache" {
			m[strings.TrimPrefix(v.Name, "[wheels] unpack ")] = v.Digest
		}
	}
	return m
}
