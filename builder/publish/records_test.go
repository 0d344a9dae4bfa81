package publish

import (
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb"
)

// execOf is a definition with one program that leaves a result in /out, beside its root and an input.
func execOf(t *testing.T, args ...string) *pb.Definition {
	t.Helper()
	op := &pb.Op{Op: &pb.Op_Exec{Exec: &pb.ExecOp{
		Meta: &pb.Meta{Args: args},
		Mounts: []*pb.Mount{
			{Dest: "/", Output: int64(pb.SkipOutput)}, {Dest: "/in/0", Output: int64(pb.SkipOutput)}, {Dest: "/out", Output: 0},
		},
	}}}
	data, err := op.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return &pb.Definition{Def: [][]byte{data}}
}

// TestOwnCacheIsReadWhereARecordIsMissing: a daemon that holds a result of every program reads no cache of the profile's own.
func TestOwnCacheIsReadWhereARecordIsMissing(t *testing.T) {
	const numpy, scipy = "mount /out from exec /unpack numpy.whl", "mount /out from exec /unpack scipy.whl"
	for _, test := range []struct {
		name  string
		held  map[string]bool
		reads int
	}{
		{"all are held", map[string]bool{numpy: true, scipy: true}, 0},
		{"one is missing", map[string]bool{numpy: true}, 1},
		{"the daemon did not answer", nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := publisher(with(Options{Outputs: pushed}, "registry.example/a:1"), &Records{asked: make(chan struct{}), held: test.held})
			close(p.Records.asked)
			var graphs []Graph
			for _, wheel := range []string{"numpy.whl", "scipy.whl"} {
				graphs = append(graphs, Graph{Graph: &llb.Graph{Definition: execOf(t, "/unpack", wheel)}})
			}
			remote := &RemoteState{imports: []string{"registry.example/a:buildcache-cpu"}}
			if got := p.Imports(remote, graphs); len(got) != test.reads {
				t.Errorf("reads %v, want %d caches", got, test.reads)
			}
		})
	}
}
