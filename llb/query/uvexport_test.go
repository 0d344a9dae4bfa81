package query

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// fromUV is a recipe whose packages uv takes from its own lock.
func fromUV(r *recipe.Recipe, _ *ResolveInputs) {
	r.Requires = recipe.Requirements{
		Project: &recipe.ProjectSource{Extras: []string{"cpu"}, Groups: []string{"dev"}},
		UV:      &recipe.UVLock{Dir: "services/api", Files: []recipe.File{{Path: "services/api/pyproject.toml"}, {Path: "uv.lock", Data: "version = 1\n"}}},
		Indexes: []recipe.Index{{Name: "corp", URL: "https://index.example", Secret: "corp-login"}},
	}
}

// TestExportStep: the step has no network and no credentials, and runs in the project's directory.
func TestExportStep(t *testing.T) {
	v := resolution(t, fromUV).Named("uv: take the packages of cpu from uv.lock")
	e := v.Op.GetExec()
	if e.Network != pb.NetMode_NONE || len(e.Secretenv) > 0 || e.Meta.Cwd != "/src/services/api" {
		t.Errorf("network %v, secrets %v, in %s", e.Network, e.Secretenv, e.Meta.Cwd)
	}
	want := "--frozen\n--offline\n--no-emit-project\n--no-editable\n--no-default-groups\n--extra\ncpu\n--group\ndev"
	if d := cmp.Diff(want, e.Meta.Args[4]); d != "" {
		t.Errorf("arguments (-want +got):\n%s", d)
	}
	if m := llbtest.Mount(v, "/src"); m == nil || !m.Readonly {
		t.Errorf("sources: %v", m)
	}
}

func TestExportScript(t *testing.T) {
	llbtest.Shell(t, exportScript)
	dir := t.TempDir()
	uv := filepath.Join(dir, "uv")
	if err := errors.Join(os.WriteFile(uv, []byte("#!/bin/sh\nprintf '%s\\n' \"$*\" >>"+dir+"/calls\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("/uv/bin/uv", uv, "/out/", dir+"/").Replace(exportScript)
	if out, err := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script, "sh", "--extra\na b*").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "export --extra a b* --no-header --quiet --format pylock.toml --output-file " + dir + "/pylock.toml\n" +
		"export --extra a b* --no-header --quiet --no-hashes --output-file " + dir + "/via.txt\n"
	if d := cmp.Diff(want, llbtest.ReadFile(t, dir, "calls")); d != "" {
		t.Errorf("uv was called with (-want +got):\n%s", d)
	}
}
