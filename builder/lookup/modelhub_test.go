package lookup

import (
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestHubPathsStayInside: a name in a hub's list that leads out of the model's directory is refused before anything of it is fetched, with a lock or without.
func TestHubPathsStayInside(t *testing.T) {
	model := &recipe.Model{Name: "m", Source: recipe.ModelSource{Kind: recipe.ModelHub}}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, name := range []string{"../../etc/passwd", "../../usr/local/bin/python3.11", "/etc/passwd", "a/../../b"} {
		_, err := chooseHubFiles(model, hubList{SHA: commit, Siblings: []hubFile{{Name: name}}})
		buildertest.Expect(t, err, fault.Download, false, "which is no path inside of the model")
	}
	if _, err := chooseHubFiles(model, hubList{SHA: "../x", Siblings: []hubFile{{Name: "a"}}}); !fault.Is(err, fault.Download) {
		t.Errorf("a commit that is none: %v", err)
	}
	if files, err := chooseHubFiles(model, hubList{SHA: commit, Siblings: []hubFile{{Name: "a"}, {Name: "b/c"}}}); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}
