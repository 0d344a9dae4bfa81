package requirements

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// TestDirectRequirements: what a constraint names is not asked for, and markers, hashes and extras do not hide a name.
func TestDirectRequirements(t *testing.T) {
	r := &reader{Tree: files.Tree{Report: yamldoc.NewReport()}}
	r.lines("r.txt", "A_b.c==1.0 \\\n --hash=sha256:"+strings.Repeat("0", 64)+"\nTorch[x,y]>=2 ; python_version<'3'\n\n--pre\njax @ https://files.example/jax.whl # c\n-c k.txt\nz~=1", false)
	r.lines("c.txt", "limited==3\n", true)
	var got []string
	for _, q := range r.Direct {
		got = append(got, q.Name+q.ExtrasText()+" "+q.Pin)
	}
	if diff := cmp.Diff([]string{"a-b-c 1.0", "torch[x,y] ", "jax ", "z "}, got); diff != "" {
		t.Error(diff)
	}
	if len(r.Faults) > 0 {
		t.Errorf("unexpected faults: %v", r.Faults)
	}
}
