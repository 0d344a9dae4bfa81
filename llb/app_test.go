package llb

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestExcludedFiles: what a rule leaves out is not sent for it, and other rules share what is sent without it.
func TestExcludedFiles(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, in *Inputs) {
		in.Session.ID = "s"
		r.App.Copy = []recipe.CopyRule{
			{From: "src", Files: []string{"src"}, To: "/app/", Exclude: []string{"src/data"}}, {From: "a", Files: []string{"a"}, To: "/app/"}, {From: "b", Files: []string{"b"}, To: "/app/"},
		}
	})
	var sent []string
	for _, v := range g.Kinds("local") {
		sent = append(sent, v.Op.GetSource().Identifier)
	}
	slices.Sort(sent)
	ignore := []string{"**/*.log", "!keep.log"}
	want := []string{"local://" + ops.Selection{Paths: []string{"src"}, Ignore: append(ignore, "src/data")}.Name(), "local://" + ops.Selection{Paths: []string{"a", "b"}, Ignore: ignore}.Name()}
	slices.Sort(want)
	if d := cmp.Diff(want, sent); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
}

// TestAppCopies: one action for each matched file, in the order of the rules, each with what the rule says.
func TestAppCopies(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) {
		r.App.Copy = append(r.App.Copy, recipe.CopyRule{Files: []string{"run.sh"}, To: "/app/start", Mode: "755"},
			recipe.CopyRule{Files: []string{"."}, To: "/srv/all"}, recipe.CopyRule{Files: []string{"a/b/c.bin"}, To: "/srv/deep/er/"})
	})
	v := g.Named("copy the project's files")
	var got []string
	for _, a := range v.Op.GetFile().Actions {
		c := a.GetCopy()
		if c == nil || c.Src == "/empty" {
			continue
		}
		if from := g.Inputs(v)[a.SecondaryInput]; from.Kind() != "local" || from.Op.GetSource().Identifier != "local://"+ops.ProjectLocal {
			t.Errorf("%s comes from %s", c.Src, from.Name)
		}
		mode := c.ModeStr
		if mode == "" {
			mode = fmt.Sprintf("%04o", c.Mode)
		}
		got = append(got, fmt.Sprintf("%s %s %s %d:%d", c.Src, c.Dest, mode, id(c.Owner.User), id(c.Owner.Group)))
		if !c.DirCopyContents || c.AllowWildcard || c.FollowSymlink || c.AttemptUnpackDockerCompatibility {
			t.Errorf("%s is copied by %v", c.Src, c)
		}
	}
	want := []string{
		"/main.py /app/main.py u=rwX,go=rX 1000:1000",
		"/model.py /app/model.py u=rwX,go=rX 1000:1000",
		"/weights /home/app/models/weights u=rX,g=rX,o= 0:0",
		"/run.sh /app/start 0755 1000:1000",
		"/ /srv/all u=rwX,go=rX 1000:1000",
		"/a/b/c.bin /srv/deep/er/c.bin u=rwX,go=rX 1000:1000",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("copies (-want +got):\n%s", d)
	}
	for _, dir := range []string{"/app", "/home/app/models", "/srv", "/srv/deep/er"} {
		if made(v)[dir].Path == "" {
			t.Errorf("%s is not made before something is copied into it", dir)
		}
	}
}

// TestAppIsCopiedOnce: the directories that files were put into get their time back at the end, and keep their mode and owner.
func TestAppIsCopiedOnce(t *testing.T) {
	g := compiled(t, func(r *recipe.Recipe, _ *Inputs) {
		r.App.Copy = []recipe.CopyRule{{Files: []string{"."}, To: "/app"}, {Files: []string{"a/b/c.bin"}, To: "/srv/deep/er/"}}
	})
	merged := g.Inputs(g.Kinds("merge")[0])
	v := merged[len(merged)-1]
	if v.Name != "[app] copy the project's files" {
		t.Fatalf("the image takes %q, want the copy itself", v.Name)
	}
	var got []string
	actions := v.Op.GetFile().Actions
	for _, a := range actions[len(actions)-3:] {
		c := a.GetCopy()
		if c.GetSrc() != "/empty" || !c.DirCopyContents || c.Mode != -1 || c.ModeStr != "" || c.Owner != nil || c.Timestamp != wheel.ModTime.UnixNano() {
			t.Errorf("action %v", a)
		}
		if from := g.Inputs(v)[a.SecondaryInput]; len(from.Op.GetFile().Actions) != 1 || actionTime(from.Op.GetFile().Actions[0]) != wheel.ModTime.UnixNano() {
			t.Errorf("the empty directory is %v", from.Op)
		}
		got = append(got, c.GetDest())
	}
	if d := cmp.Diff([]string{"/srv", "/srv/deep", "/srv/deep/er"}, got); d != "" {
		t.Errorf("settled (-want +got):\n%s", d)
	}
}

// TestChmod: what a rule says of files, with directories that can still be entered.
func TestChmod(t *testing.T) {
	for mode, want := range map[string]bkllb.ChmodOpt{
		"": {ModeStr: "u=rwX,go=rX"}, "0644": {ModeStr: "u=rwX,g=rX,o=rX"}, "600": {ModeStr: "u=rwX,g=,o="}, "0o444": {ModeStr: "u=rwX,go=rX"},
		"0755": {Mode: 0o755}, "0550": {Mode: 0o550}, "4755": {Mode: 0o755}, "0000": {ModeStr: "u=,g=,o="},
	} {
		if d := cmp.Diff(&want, ops.Chmod(mode)); d != "" {
			t.Errorf("mode %q (-want +got):\n%s", mode, d)
		}
	}
}
