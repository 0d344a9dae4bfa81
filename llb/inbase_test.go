package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// mkfile is the contents of a file that some operation makes.
func mkfile(t *testing.T, g llbtest.Graph, path string) []byte {
	t.Helper()
	for _, v := range g.Kinds("file") {
		for _, a := range v.Op.GetFile().Actions {
			if f, ok := a.Action.(*pb.FileAction_Mkfile); ok && f.Mkfile.Path == path {
				return f.Mkfile.Data
			}
		}
	}
	t.Fatalf("nothing makes %s", path)
	return nil
}

// TestCopiedPython: the layer of an interpreter depends on the image that it comes from and on nothing else, and nothing runs.
func TestCopiedPython(t *testing.T) {
	copied := func(r *recipe.Recipe, in *Inputs) {
		r.Base.Python = "docker.io/library/python:3.11-slim-bookworm"
		in.Images = map[string]ops.Base{r.Base.Python: llbtest.Base(llbtest.OtherRef, 4)}
	}
	g := compiled(t, copied)
	settle := func(g llbtest.Graph) string {
		for _, v := range g.Kinds("file") {
			if v.Name == "[python] settle times" {
				return v.Digest
			}
		}
		t.Fatal("there is no layer of a Python")
		return ""
	}
	want := settle(g)
	for name, change := range map[string]func(*recipe.Recipe, *Inputs){
		"base": func(_ *recipe.Recipe, in *Inputs) { in.Base = llbtest.Base(llbtest.OtherRef, 7) },
		"user": func(r *recipe.Recipe, _ *Inputs) { r.User = recipe.User{} },
		"app":  func(r *recipe.Recipe, _ *Inputs) { r.App.Workdir = "/srv" },
	} {
		if got := settle(compiled(t, func(r *recipe.Recipe, in *Inputs) { copied(r, in); change(r, in) })); got != want {
			t.Errorf("another %s makes another layer", name)
		}
	}
	if got := settle(compiled(t, func(r *recipe.Recipe, in *Inputs) {
		copied(r, in)
		in.Images[r.Base.Python] = llbtest.Base(llbtest.BaseRef, 5)
	})); got == want {
		t.Error("another image makes the same layer")
	}
	copies := g.Named("Python 3.11 of docker.io").Op.GetFile().Actions
	if !slices.ContainsFunc(copies, func(a *pb.FileAction) bool {
		c := a.GetCopy()
		return c != nil && c.Src == "/usr/lib/x86_64-linux-gnu/libssl.so.*" && c.Dest == "/usr/lib/" && c.AllowEmptyWildcard
	}) {
		t.Error("libssl is not copied to where the loader looks last")
	}
	plan := compile(t, copied).Plan
	if plan.Layers[0].Kind != "python" {
		t.Errorf("the first layer is %+v", plan.Layers[0])
	}
}

// TestVenvSeesTheBase: only where the base's packages count.
func TestVenvSeesTheBase(t *testing.T) {
	for want, packages := range map[string]bool{"include-system-site-packages = true\n": true, "include-system-site-packages = false\n": false} {
		g := compiled(t, func(r *recipe.Recipe, _ *Inputs) { r.Base.Packages = packages })
		if got := string(mkfile(t, g, "/opt/venv/pyvenv.cfg")); !strings.Contains(got, want) {
			t.Errorf("packages %t: %s", packages, got)
		}
	}
}
