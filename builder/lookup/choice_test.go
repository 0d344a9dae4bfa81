package lookup

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// TestWhoNeedsWhom: what a lock says of who needs whom answers two questions, and where it says nothing they are answered differently: builds from source see all packages, and bake steps
// that name theirs see all only where the lock is of another tool. A package that needs all others changes neither.
func TestWhoNeedsWhom(t *testing.T) {
	const project = "python: {packages: [x, y, z], build: {x: {isolation: false, depends: \"*\"}, y: {isolation: false}}}\n"
	const bake = "bake: [{name: made, commands: [make], needs: [x], outputs: [/opt/made]}]\n"
	silent := buildertest.LockText("z 1") + "\n[[packages]]\nname = \"x\"\ndirectory = { path = \"x\" }\n\n[[packages]]\nname = \"y\"\ndirectory = { path = \"y\" }\n"
	said := silent + "dependencies = [{ name = \"z\" }]\n"
	const own = "\n[tool.mlbuild]\ninputs = \"1\"\n"
	all := []string{"x", "y", "z"}
	type needs = map[string][]string
	for _, c := range []struct {
		name, project, lock string
		build, bake         needs
	}{
		{"a lock that says it", project + bake, said, needs{"x": all, "y": {"z"}}, needs{"x": all, "y": {"z"}}},
		{"no bake step", project, said, needs{"x": all, "y": {"z"}}, nil},
		{"another tool's that says nothing", project + bake, silent, needs{}, nil},
		{"and no bake step", project, silent, needs{}, nil},
		{"one of ours in which nobody needs another", project + bake, silent + own, needs{}, needs{"x": all}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lock, err := pylock.Parse("pylock.cpu.toml", []byte(c.lock))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Choose(buildertest.Recipe(t, "cpu", c.project), lock, "2.36", Contents{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.build, got.Needs); d != "" {
				t.Errorf("for builds (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.bake, got.BakeNeeds); d != "" {
				t.Errorf("for bake steps (-want +got):\n%s", d)
			}
		})
	}
}
