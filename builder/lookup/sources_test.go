package lookup

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestProjectIsInstalled: the project itself is one of the packages that are built, its lock knows who requires the others, and only those have a requirement.
func TestProjectIsInstalled(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n")
	r.Requires.Files = []recipe.File{{Path: "a.txt", Data: "# none\n"}, {Path: "b.txt", Data: "\nX[y]>=1 ; python_version > '3'\n./libs/other\n./libs/near[z]\n"}}
	r.Requires.Parse()
	r.Builder.Project = &recipe.LocalSource{Path: ".", Name: "own"}
	text := buildertest.LockText("x 1") + "dependencies = [{ name = \"tree\" }]\n\n[[packages]]\nname = \"tree\"\ndirectory = { path = \"libs/tree\" }\n\n[[packages]]\nname = \"near\"\ndirectory = { path = \"libs/near\" }\n"
	lock, err := pylock.Parse("pylock.cpu.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Choose(r, lock, "2.36", Contents{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range c.Wheels {
		names = append(names, w.Label()+" "+w.Why)
	}
	if d := cmp.Diff([]string{"near it is a directory of the project", "tree it is a directory of the project", "x 1 ", "own it is the project itself"}, names); d != "" {
		t.Errorf("packages (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"tree": "x (b.txt:2)", "near": "b.txt:4"}, c.Asked); d != "" {
		t.Errorf("who asks (-want +got):\n%s", d)
	}
}
