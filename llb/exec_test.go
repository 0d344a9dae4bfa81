package llb

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ran compiles a command on the whole runtime image and gives its graph; what picks the state to keep.
func ran(t *testing.T, c command, what func(m *image, run bkllb.ExecState) bkllb.State) llbtest.Graph {
	t.Helper()
	m, err := assemble(llbtest.Recipe(), inputs())
	if err != nil {
		t.Fatal(err)
	}
	m.in.Network = ops.Network{CA: true}
	def, err := what(m, m.run(m.merged(), c)).Marshal(context.Background(), bkllb.Platform(m.platform))
	if err != nil {
		t.Fatal(err)
	}
	return llbtest.Decode(t, def.ToPB())
}

// TestCommand: it runs as the image would, and only its output is kept.
func TestCommand(t *testing.T) {
	c := command{
		stage: ops.Group{ID: ops.GroupBake}, name: "make weights", args: []string{"python", "make.py"},
		env:    []recipe.Pair{{Name: "OMP_NUM_THREADS", Value: "1"}, {Name: "A", Value: "b"}},
		mounts: []input{{at: "/in", from: bkllb.Image(llbtest.OtherRef), path: "/etc"}},
	}
	g := ran(t, c, func(m *image, run bkllb.ExecState) bkllb.State { return m.output(run, c, "/out") })
	v := g.Named("[files that the project makes] make weights")
	e := v.Op.GetExec()
	env := []string{"A=b", "HOME=/home/app", "LANG=C.UTF-8", "OMP_NUM_THREADS=1",
		"PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1", "VIRTUAL_ENV=/opt/venv"}
	if d := cmp.Diff(env, e.Meta.Env); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"python", "make.py"}, e.Meta.Args); d != "" || e.Meta.Cwd != "/app" || e.Meta.User != "1000:1000" || e.Network != pb.NetMode_NONE {
		t.Errorf("args %q in %s as %s with network %s", e.Meta.Args, e.Meta.Cwd, e.Meta.User, e.Network)
	}
	if in := llbtest.Mount(v, "/in"); in == nil || !in.Readonly || in.Selector != "/etc" {
		t.Errorf("mount of the input: %v", in)
	}
	out := llbtest.Mount(v, "/out")
	if out == nil || out.Readonly || out.Selector != "/results" {
		t.Fatalf("mount of the output: %v", out)
	}
	made := g.Inputs(v)[out.Input].Op.GetFile().Actions[0].GetMkdir()
	if o := made.Owner; o.GetUser().GetByID() != 1000 || o.GetGroup().GetByID() != 1000 {
		t.Errorf("the output belongs to %v", o)
	}
	if len(e.Secretenv) != 0 || slices.ContainsFunc(e.Mounts, func(m *pb.Mount) bool { return m.MountType == pb.MountType_SECRET }) {
		t.Error("a command without network has a secret")
	}
}

// TestCommandAsRoot: what differs where root and the network are asked for.
func TestCommandAsRoot(t *testing.T) {
	c := command{stage: ops.Group{ID: ops.GroupRun}, name: "prepare", shell: "a | b", dir: "/srv", root: true, network: true}
	g := ran(t, c, func(m *image, run bkllb.ExecState) bkllb.State { return m.output(run, c, "/out") })
	v := g.Named("[commands on the image] prepare")
	e := v.Op.GetExec()
	if d := cmp.Diff([]string{"/bin/sh", "-euc", "a | b"}, e.Meta.Args); d != "" || e.Meta.Cwd != "/srv" || e.Meta.User != "" || e.Network != pb.NetMode_UNSET {
		t.Errorf("args %q in %s as %q with network %s", e.Meta.Args, e.Meta.Cwd, e.Meta.User, e.Network)
	}
	if home, _ := llbtest.Environ(v, "HOME"); home != "/root" {
		t.Errorf("home %q", home)
	}
	if ca := llbtest.Mount(v, ops.CAPath); ca == nil || ca.MountType != pb.MountType_SECRET {
		t.Errorf("mount of the CA: %v", ca)
	}
	made := g.Inputs(v)[llbtest.Mount(v, "/out").Input].Op.GetFile().Actions[0].GetMkdir()
	if made.Owner.GetUser().GetByID() != 0 {
		t.Errorf("the output belongs to %v", made.Owner)
	}
}

// TestMerged: the project's files lie over the tree of the merge, so that an edit of them merges nothing again.
func TestMerged(t *testing.T) {
	c := command{stage: ops.Group{ID: ops.GroupRun}, name: "look", args: []string{"true"}}
	keep := func(m *image, run bkllb.ExecState) bkllb.State { return run.Root() }
	g := ran(t, c, keep)
	merges := g.Kinds("merge")
	if len(merges) != 1 || len(merges[0].Op.Inputs) != len(compile(t, nil).Plan.Layers) {
		t.Fatalf("%d merges, the first of %d inputs; want the base and every layer but the app's", len(merges), len(merges[0].Op.Inputs))
	}
	for _, in := range g.Inputs(merges[0]) {
		if in.Name == "[app] copy the project's files" {
			t.Error("the app's files are merged")
		}
	}
	over := g.Inputs(g.Named("[commands on the image] look"))[0]
	if over.Name != "[image to run in] the project's files" || g.Inputs(over)[0].Digest != merges[0].Digest {
		t.Errorf("the command runs on %s", over.Name)
	}
}

// TestOutputs: what a command leaves at declared places becomes a layer with fixed times.
func TestOutputs(t *testing.T) {
	c := command{stage: ops.Group{ID: ops.GroupBake}, name: "weights", args: []string{"true"}}
	g := ran(t, c, func(m *image, run bkllb.ExecState) bkllb.State {
		return m.outputs(run, c, newDirTable(m.recipe), []string{"/app/cache/model.bin", "/data/x"})
	})
	v := g.Named("[files that the project makes] keep what weights made")
	var did []string
	for _, a := range v.Op.GetFile().Actions {
		did = append(did, llbtest.Action(a))
		if mk := a.GetMkdir(); mk != nil && mk.Path != "/" && mk.Timestamp < 0 {
			t.Errorf("%s has no fixed time", mk.Path)
		}
		if cp := a.GetCopy(); cp != nil && cp.Timestamp < 0 {
			t.Errorf("the copy to %s has no fixed time", cp.Dest)
		}
	}
	for _, want := range []string{"/app/cache/model.bin", "/data/x"} {
		if !slices.ContainsFunc(v.Op.GetFile().Actions, func(a *pb.FileAction) bool {
			return a.GetCopy() != nil && a.GetCopy().Src == want && a.GetCopy().Dest == want
		}) {
			t.Errorf("%s is not kept:\n%v", want, did)
		}
	}
}
