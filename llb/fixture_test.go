package llb

import (
	"testing"
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func inputs() Inputs {
	return Inputs{
		Base: llbtest.Base(llbtest.BaseRef, 4), Wheels: llbtest.Wheels(), Worker: ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		Helpers: ops.Helpers{Wheels: "sha256:" + llbtest.Sum("helper"), Packages: "sha256:" + llbtest.Sum("helper for packages")}, Epoch: time.Unix(0, 0).UTC(),
	}
}

// compile returns the graph and its operations; a change may be nil.
func compile(t testing.TB, change func(*recipe.Recipe, *Inputs)) *Graph {
	t.Helper()
	r, in := llbtest.Recipe(), inputs()
	if change != nil {
		change(r, &in)
	}
	g, err := Compile(r, in)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func compiled(t *testing.T, change func(*recipe.Recipe, *Inputs)) llbtest.Graph {
	t.Helper()
	return llbtest.Decode(t, compile(t, change).Definition)
}
