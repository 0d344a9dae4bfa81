package localfs

import (
	"flag"
	"math/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed/treeedits"
)

var seed = flag.Int64("seed", 0, "of the random edits; 0 = another one in every run")

// TestRandomEdits: whatever is done to a project between two transfers, the daemon has afterwards what the project has.
func TestRandomEdits(t *testing.T) {
	s := *seed
	if s == 0 {
		s = time.Now().UnixNano()
	}
	t.Logf("-seed %d", s)
	r := rand.New(rand.NewSource(s))
	for round := range 60 {
		project := treeedits.Tree{Root: filepath.Join(t.TempDir(), "project"), Rand: r}
		if err := project.Fill(12); err != nil {
			t.Fatal(err)
		}
		d, state := newDaemon(t), t.TempDir()
		var done []string
		for range 4 {
			before, err := Open(project.Root, state)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.sync(before, everything)
			if err != nil {
				t.Fatalf("round %d, after %v: %v", round, done, err)
			}
			equal(t, got, contents(t, project.Root))
			if t.Failed() {
				t.Fatalf("round %d, after %v", round, done)
			}
			_ = before.Close()
			if name := project.Edit(); name != "" {
				done = append(done, name)
			}
		}
	}
}
