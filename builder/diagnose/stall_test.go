package diagnose

import (
	"strings"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// TestStalled: silence ends a build in which downloads alone run, after a time that their sizes give, and no other.
func TestStalled(t *testing.T) {
	began := time.Now()
	running := func(names ...string) *bkclient.SolveStatus {
		s := &bkclient.SolveStatus{}
		for _, n := range names {
			s.Vertexes = append(s.Vertexes, &bkclient.Vertex{Digest: digest.FromString(n), Name: n, Started: &began})
		}
		return s
	}
	done := running("a.whl")
	done.Vertexes[0].Completed = &began
	for _, test := range []struct {
		name  string
		seen  []*bkclient.SolveStatus
		after time.Duration
		names string // "" = it goes on
	}{
		{"nothing runs", []*bkclient.SolveStatus{{}}, 24 * time.Hour, ""},
		{"a small file", []*bkclient.SolveStatus{running("a.whl")}, limits.Stall + 9*time.Second, "download of a.whl"},
		{"not long enough", []*bkclient.SolveStatus{running("a.whl")}, limits.Stall, ""},
		{"two files", []*bkclient.SolveStatus{running("b.deb", "a.whl")}, limits.Stall + 10*time.Minute, "download of a.whl, b.deb"},
		{"a large file", []*bkclient.SolveStatus{running("b.deb")}, limits.Stall + 5*time.Minute, ""},
		{"beside a step", []*bkclient.SolveStatus{running("a.whl", "step")}, 24 * time.Hour, ""},
		{"done", []*bkclient.SolveStatus{running("a.whl"), done}, 24 * time.Hour, ""},
		{"no size", []*bkclient.SolveStatus{running("model")}, limits.Stall + time.Hour, ""},
		{"no size, long", []*bkclient.SolveStatus{running("model")}, limits.Stall + 3*time.Hour, "download of model"},
	} {
		w := NewWatcher(nil)
		w.Learn(ops.Steps{
			digest.FromString("a.whl"): {Kind: ops.StepDownload, Name: "a.whl", Size: 1 << 20},
			digest.FromString("b.deb"): {Kind: ops.StepDownload, Name: "b.deb", Size: 64 << 20},
			digest.FromString("model"): {Kind: ops.StepDownload, Name: "model"},
			digest.FromString("step"):  {Kind: ops.StepCopy, Name: "step"},
		})
		for _, s := range test.seen {
			w.Keep(s)
		}
		err := w.stalled(time.Now().Add(test.after))
		if limits.IsTimedOut(err) != (test.names != "") || err != nil && !strings.HasSuffix(err.Error(), test.names) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
