package buildertest

import (
	"testing"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Recipe resolves a profile of a project file.
func Recipe(t *testing.T, profile, yaml string) *recipe.Recipe {
	t.Helper()
	root, err := profiles.Load(fstest.MapFS{
		"mlbuild.yaml": {Data: []byte("version: 1\nname: stub\napp: {copy: [main.py], command: [python, main.py]}\n" + yaml)},
		"main.py":      {Data: []byte("print()\n")},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := root.Resolve(profiles.Selection{Profile: profile, Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
