package llb

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// testsOf compiles the run of the tests on an image, which has the project's tests in a layer unless change says otherwise.
func testsOf(t *testing.T, change func(*recipe.Recipe, *Inputs)) llbtest.Graph {
	t.Helper()
	g := compile(t, func(r *recipe.Recipe, in *Inputs) {
		in.Target, in.Network = recipe.StageTesting, ops.Network{CA: true}
		r.Testing = &recipe.Testing{Commands: [][]string{{"pytest"}}, Env: []recipe.Pair{{Name: "OMP_NUM_THREADS", Value: "1"}, {Name: "A", Value: "b"}}}
		if change != nil {
			change(r, in)
		}
	})
	return llbtest.Decode(t, g.Tests)
}

// TestRunsAsTheImage: tests run as the image would, and only their results are kept.
func TestRunsAsTheImage(t *testing.T) {
	g := testsOf(t, nil)
	v := g.Named("[testing] pytest")
	e := v.Op.GetExec()
	env := []string{"A=b", "HOME=/home/app", "LANG=C.UTF-8", "OMP_NUM_THREADS=1",
		"PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1", "VIRTUAL_ENV=/opt/venv"}
	if d := cmp.Diff(env, e.Meta.Env); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
	args := []string{"/opt/venv/bin/python", "-I", "-B", testsDir + "/run.py", testsDir + "/task.json", resultsDir}
	if d := cmp.Diff(args, e.Meta.Args); d != "" || e.Meta.Cwd != "/app" || e.Meta.User != "1000:1000" || e.Network != pb.NetMode_NONE {
		t.Errorf("args %q in %s as %s with network %s", e.Meta.Args, e.Meta.Cwd, e.Meta.User, e.Network)
	}
	if in := llbtest.Mount(v, testsDir); in == nil || !in.Readonly {
		t.Errorf("mount of the task: %v", in)
	}
	out := llbtest.Mount(v, resultsDir)
	if out == nil || out.Readonly || out.Selector != "/results" {
		t.Fatalf("mount of the results: %v", out)
	}
	made := g.Inputs(v)[out.Input].Op.GetFile().Actions[0].GetMkdir()
	if o := made.Owner; o.GetUser().GetByID() != 1000 || o.GetGroup().GetByID() != 1000 {
		t.Errorf("the results belong to %v", o)
	}
	if slices.ContainsFunc(e.Mounts, func(m *pb.Mount) bool { return m.MountType == pb.MountType_SECRET }) {
		t.Error("a command without network has a secret")
	}
}

// TestRunsWithNetwork: what differs where the network is asked for.
func TestRunsWithNetwork(t *testing.T) {
	v := testsOf(t, func(r *recipe.Recipe, _ *Inputs) { r.Testing.Network = true }).Named("[testing] pytest")
	if v.Op.GetExec().Network != pb.NetMode_UNSET {
		t.Errorf("network %s", v.Op.GetExec().Network)
	}
	if ca := llbtest.Mount(v, ops.CAPath); ca == nil || ca.MountType != pb.MountType_SECRET {
		t.Errorf("mount of the CA: %v", ca)
	}
}

// TestHomeOfRoot: what runs as root has root's home, and what runs as the image's user has that one's.
func TestHomeOfRoot(t *testing.T) {
	g := compiled(t, withSteps)
	for name, want := range map[string]string{"[commands on the image] run first": "/root", "[commands on the image] run third": "/home/app"} {
		if home, _ := llbtest.Environ(g.Named(name), "HOME"); home != want {
			t.Errorf("%s has the home %q", name, home)
		}
	}
}

// TestMerged: the project's files lie over the tree of the merge, so that an edit of them merges nothing again.
func TestMerged(t *testing.T) {
	g := testsOf(t, nil)
	merges := g.Kinds("merge")
	if len(merges) != 1 || len(merges[0].Op.Inputs) != len(compile(t, nil).Plan.Layers) {
		t.Fatalf("%d merges, the first of %d inputs; want the base and every layer but the app's", len(merges), len(merges[0].Op.Inputs))
	}
	for _, in := range g.Inputs(merges[0]) {
		if in.Name == "[app] copy the project's files" {
			t.Error("the app's files are merged")
		}
	}
	over := g.Inputs(g.Named("[testing] pytest"))[0]
	if over.Name != "[image to run in] the project's files" || g.Inputs(over)[0].Digest != merges[0].Digest {
		t.Errorf("the command runs on %s", over.Name)
	}
}
