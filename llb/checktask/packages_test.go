package checktask

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestInstalledPackages(t *testing.T) {
	r := &recipe.Recipe{Checks: recipe.Checks{Direct: []string{"uvicorn"}, Extras: map[string][]string{"uvicorn": {"standard"}}}}
	q := Packages(r, []pylock.Wheel{{Name: "click", Version: "8.1.7"}, {Name: "uvicorn", Version: "0.30.0"}}, "", false)
	want := []check.Package{{Name: "click", Version: "8.1.7"}, {Name: "uvicorn", Version: "0.30.0", Direct: true, Extras: []string{"standard"}}}
	if d := cmp.Diff(want, q.Installed); d != "" {
		t.Error(d)
	}
}
