package lookup

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestBaseNotes: settings of the base that the image does not have are told, unless the project named its own.
func TestBaseNotes(t *testing.T) {
	base := ops.Base{}
	base.Config.Config.WorkingDir, base.Config.Config.Entrypoint = "/workspace", []string{"/opt/nvidia/entrypoint.sh"}
	base.Config.Config.Env = []string{"NVIDIA_DRIVER_CAPABILITIES=compute,video"}
	app := func(workdir string, entrypoint, command []string, capabilities string) *recipe.Recipe {
		return &recipe.Recipe{App: recipe.App{Workdir: workdir, Entrypoint: entrypoint, Command: command, Env: []recipe.Pair{{Name: "NVIDIA_DRIVER_CAPABILITIES", Value: capabilities}}}}
	}
	words := []string{"python", "main.py"}
	for name, c := range map[string]struct {
		r      *recipe.Recipe
		target recipe.Stage
		want   string
	}{
		"defaults": {app("/app", nil, words, "compute,utility"), "",
			"the working directory is /app, and not the base's /workspace (to keep that one: app: {workdir: /workspace})\n" +
				`the base's entrypoint is not run before the command (to keep it: app: {entrypoint: ["/opt/nvidia/entrypoint.sh"]})`},
		"named":         {app("/srv/x", words, nil, "compute,video"), "", ""},
		"narrowed":      {app("/workspace", nil, nil, "utility"), "", "NVIDIA_DRIVER_CAPABILITIES is without compute,video, which the base asks for"},
		"of the models": {app("/app", nil, words, "utility"), recipe.StageModels, ""},
	} {
		if got := strings.Join(baseNotes(c.r, base, c.target), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
	if got := baseNotes(app("/app", nil, words, "all"), ops.Base{}, ""); got != nil {
		t.Errorf("of a base without settings: %q", got)
	}
	early := app("/app", nil, words, "all")
	early.Run = []recipe.Hook{{Name: "tools", After: recipe.AfterSystem, Script: recipe.Script{Commands: []string{"pip install six"}}}}
	if got := baseNotes(early, ops.Base{}, ""); len(got) != 1 || !strings.Contains(got[0], "the run step tools installs with pip before there is an environment") {
		t.Errorf("of a step that installs too early: %q", got)
	}
}

// TestLibraryNotes: what the lock lists as a system package is there, and nothing is said where apt chooses when it runs.
func TestLibraryNotes(t *testing.T) {
	r := &recipe.Recipe{Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim"}}
	p := Packages{Runtime: Choice{Wheels: []pylock.Wheel{{Name: "lightgbm", Version: "4.6.0"}, {Name: "pyzbar", Version: "0.1.9"}}}}
	if got := libraryNotes(r, SystemPackages{}, p); len(got) != 1 || !strings.Contains(got[0], "what lightgbm, pyzbar load or run: system: {runtime: [libgomp1, libzbar0]}") {
		t.Errorf("nothing is installed: %q", got)
	}
	r.System = []string{"libzbar0"}
	list := &buildlock.System{Packages: []buildlock.Package{{Name: "libzbar0"}, {Name: "libgomp1"}}}
	if got := libraryNotes(r, SystemPackages{List: list}, p); got != nil {
		t.Errorf("all is installed: %q", got)
	}
	if got := libraryNotes(r, SystemPackages{}, p); got != nil {
		t.Errorf("apt chooses: %q", got)
	}
}
