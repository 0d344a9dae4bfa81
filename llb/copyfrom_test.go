package llb

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestCopyFrom: one layer for each image, that reads the image by its digest and depends on nothing else.
func TestCopyFrom(t *testing.T) {
	const pinned = "docker.io/tools/ffmpeg:7@sha256:3333333333333333333333333333333333333333333333333333333333333333"
	change := func(r *recipe.Recipe, in *Inputs) {
		r.CopyFrom = []recipe.CopyFrom{
			{Image: "docker.io/tools/ffmpeg:7", Output: recipe.Output{From: "/usr/bin/ffmpeg", To: "/usr/local/bin/", Mode: "0755"}},
			{Image: "docker.io/tools/other:1", Output: recipe.Output{From: "/x", To: "/app/y", Owner: "3:4"}},
			{Image: "docker.io/tools/ffmpeg:7", Output: recipe.Output{From: "/lib/*.so", To: "/app/lib/"}},
		}
		in.Images = map[string]ops.Base{"docker.io/tools/ffmpeg:7": {Ref: pinned}, "docker.io/tools/other:1": {Ref: llbtest.OtherRef}}
	}
	plan := compile(t, change).Plan
	var layers []string
	for _, l := range plan.Layers {
		if l.Kind == layerplan.KindCopy {
			layers = append(layers, l.Name)
		}
	}
	if d := cmp.Diff([]string{"/usr/bin/ffmpeg, /lib/*.so from docker.io/tools/ffmpeg:7", "/x from docker.io/tools/other:1"}, layers); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
	g := compiled(t, change)
	step := g.Named("[files of other images] copy /usr/bin/ffmpeg, /lib/*.so")
	var actions []string
	for _, a := range step.Op.GetFile().GetActions() {
		actions = append(actions, llbtest.Action(a))
	}
	for _, want := range []string{
		"mkdir /usr/local/bin 0755 0:0 at=", "mkdir /app 0755 1000:1000 at=", "copy /usr/bin/ffmpeg (0) -> /usr/local/bin/ffmpeg mode=0755 0:0 at=",
		"copy /lib/*.so (0) -> /app/lib/ 1000:1000 at=",
	} {
		if !slices.ContainsFunc(actions, func(a string) bool { return strings.HasPrefix(a, want) }) {
			t.Errorf("no action %q in\n%s", want, strings.Join(actions, "\n"))
		}
	}
	var sources []string
	for _, in := range step.Op.Inputs {
		sources = append(sources, g.ByDigest[in.Digest].Op.GetSource().GetIdentifier())
	}
	if !slices.Contains(sources, "docker-image://"+pinned) {
		t.Errorf("the files come from %q", sources)
	}
	other := g.Named("[files of other images] copy /x from")
	if acts := other.Op.GetFile().GetActions(); !slices.ContainsFunc(acts, func(a *pb.FileAction) bool { return strings.HasPrefix(llbtest.Action(a), "copy /x (0) -> /app/y 3:4") }) {
		t.Errorf("the owner is not the one that the rule names: %v", acts)
	}
}
